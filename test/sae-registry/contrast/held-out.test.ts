import { describe, expect, it } from 'vitest';
import {
  assignFolds,
  auroc,
  aurocOfChoosing,
  bagOfWords,
  contrastDirection,
  contrastFeatures,
  contrastMethods,
  denseRows,
  effectSize,
  heldOut,
  heldOutWithin,
  type SparseRow,
} from '../../../sae-registry/index.ts';
import { seededRandom } from '../../../sae-registry/labelling/seeded-random.ts';

const [count, width] = [60, 16];

/** Noise, and where `apart` is not 0 so much more of one dimension in the positive class. */
function samples(apart: number, seed: number) {
  const random = seededRandom(seed);
  const values = Float32Array.from({ length: count * width }, () => random.below(2001) / 1000 - 1);
  for (let row = 0; row < count; row += 2) values[row * width + 3] += apart;
  const positive = Array.from({ length: count }, (_, row) => row % 2 === 0);
  const pairs = Array.from({ length: count / 2 }, (_, i) => ({ positive: 2 * i, negative: 2 * i + 1 }));
  const item = Array.from({ length: count }, (_, row) => row);
  return { rows: denseRows(values, width), positive, pairs, item };
}

const plan = (positive: readonly boolean[]) => ({
  positive,
  folds: assignFolds(
    positive.map((is, at) => ({ positive: is, topic: null, pair: Math.floor(at / 2) })),
    5,
  ),
});

describe('held-out scores', () => {
  it.each(contrastMethods.filter((method) => method !== 'paired_pca'))(
    '%s tells classes apart that differ',
    async (method) => {
      const classes = samples(4, 1);
      const held = await heldOut(classes, method, plan(classes.positive), null);
      expect(held.auroc).toBeGreaterThan(0.97);
      expect(held.low).toBeLessThanOrEqual(held.auroc);
      expect(effectSize(held.scores, classes.positive)).toBeGreaterThan(3);
    },
  );

  it('paired_pca takes off what all pairs have in common, and is left with the rest', async () => {
    const classes = samples(4, 1);
    const { direction } = await contrastDirection(classes, 'paired_pca', null);
    const { direction: uncentred } = await contrastDirection(classes, 'paired_pca_center', null);
    expect(Math.abs(direction[3])).toBeLessThan(0.5);
    expect(uncentred[3]).toBeGreaterThan(0.97);
  });

  it.each(contrastMethods)('%s is at chance on noise that it fits', async (method) => {
    const areas: number[] = [];
    for (let seed = 0; seed < 10; seed++) {
      const classes = samples(0, seed);
      areas.push((await heldOut(classes, method, plan(classes.positive), null)).auroc);
      const { direction } = await contrastDirection(classes, method, null);
      const fitted = await classes.rows.times(direction, null);
      const of = (which: boolean) => fitted.filter((_, row) => classes.positive[row] === which);
      // seen in training it looks better than it is, but for components that no class has a say in
      if (!method.startsWith('paired')) expect(auroc(of(true), of(false)).auroc).toBeGreaterThan(0.6);
    }
    expect(areas.reduce((sum, area) => sum + area, 0) / areas.length).toBeLessThan(0.58);
  });

  it('of the best of many places of noise are not better than chance where choosing is held out too', async () => {
    const areas: { best: number; chosen: number }[] = [];
    for (let round = 0; round < 40; round++) {
      const places = [];
      const { positive } = samples(0, 0);
      for (let place = 0; place < 12; place++) {
        const classes = samples(0, 100 * round + place);
        const within = await heldOutWithin(classes, 'difference_of_means', plan(positive).folds, null);
        places.push({ ...(await heldOut(classes, 'difference_of_means', plan(positive), null)), within });
      }
      areas.push({
        best: Math.max(...places.map((place) => place.auroc)),
        chosen: aurocOfChoosing(places, plan(positive)).auroc,
      });
    }
    const mean = (of: 'best' | 'chosen') => areas.reduce((sum, area) => sum + area[of], 0) / areas.length;
    expect(mean('best')).toBeGreaterThan(0.56);
    expect(mean('chosen')).toBeLessThan(0.55);
  });

  it('score an item of many samples once', async () => {
    const { rows, positive, item } = samples(4, 2);
    const twice = rows.only([...item, ...item]);
    const doubled = { rows: twice, positive: [...positive, ...positive], item: [...item, ...item], pairs: [] };
    const once = await heldOut({ rows, positive, item, pairs: [] }, 'difference_of_means', plan(positive), null);
    const again = await heldOut(doubled, 'difference_of_means', plan(positive), null);
    expect(again.scores).toHaveLength(count);
    expect(again.auroc).toBe(once.auroc);
  });

  it('refuse classes of one mean', async () => {
    const flat = { ...samples(0, 1), rows: denseRows(new Float32Array(count * width).fill(1), width) };
    await expect(contrastDirection(flat, 'difference_of_means', null)).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

describe('an AUROC', () => {
  it('counts ties half', () => {
    expect(auroc([1, 1], [1, 1]).auroc).toBe(0.5);
    expect(auroc([2, 1], [1, 0]).auroc).toBe(0.875);
  });

  it('of a perfect separation has a lower bound that grows with the items', () => {
    const of = (n: number) => auroc(Array(n).fill(1), Array(n).fill(0));
    expect(of(5)).toMatchObject({ auroc: 1, high: 1 });
    expect(of(5).low).toBeCloseTo(0.025 ** (1 / 5), 12);
    expect(of(100).low).toBeGreaterThan(0.96);
    expect(auroc([0, 0, 0], [1, 1, 1])).toMatchObject({ auroc: 0, low: 0 });
  });
});

describe('features', () => {
  const positive = Array.from({ length: 20 }, (_, at) => at < 10);
  const row = (entries: Readonly<Record<number, number | undefined>>): SparseRow => ({
    columns: Uint32Array.from(Object.keys(entries), Number),
    values: Float32Array.from(Object.values(entries), Number),
  });
  const folds = Uint8Array.from(positive.keys(), (at) => at % 5);
  // 7 fires in every positive item, 4 in every negative one, 9 in all alike, 2 in a single one, strongly
  const rows = positive.map((is, at) => row({ ...(is ? { 7: 2 } : { 4: 1 }), 9: 3, ...(at === 0 ? { 2: 100 } : {}) }));

  it('come with sign, means and held-out AUROC', async () => {
    const found = await contrastFeatures(rows, { folds, positive }, { by: 'auroc', limit: 10, pace: null });
    expect(found.map(({ index, auroc: area }) => [index, area])).toEqual([
      [7, 1],
      [4, 1],
      [2, expect.closeTo(0.45 + 0.1 * 0.75 - 0.025, 1)],
      [9, 0.5],
    ]);
    expect(found[0]).toMatchObject({
      positiveMean: 2,
      negativeMean: 0,
      difference: 2,
      positiveCount: 10,
      negativeCount: 0,
    });
    expect(found[1]).toMatchObject({ positiveMean: 0, negativeMean: 1, difference: -1 });
  });

  it('by difference are led by the largest of either sign', async () => {
    const found = await contrastFeatures(rows, { folds, positive }, { by: 'difference', limit: 2, pace: null });
    expect(found.map(({ index }) => index)).toEqual([2, 7]);
  });
});

describe('a bag of words', () => {
  const positive = Array.from({ length: 40 }, (_, at) => at % 2 === 0);

  it('tells texts apart by a word that one class has', async () => {
    const texts = positive.map((is, at) => [is ? 1 : 2, 10 + (at % 6), 20 + (at % 4)]);
    expect((await bagOfWords(texts, plan(positive), null)).auroc).toBe(1);
  });

  it('cannot tell by the order of words', async () => {
    const texts = positive.map((is) => (is ? [1, 2] : [2, 1]));
    expect((await bagOfWords(texts, plan(positive), null)).auroc).toBe(0.5);
  });
});
