import { describe, expect, it } from 'vitest';
import { detectionTrials } from '../../../sae-registry/labelling/detection-trials.ts';
import { fuzzingTrials } from '../../../sae-registry/labelling/fuzzing-trials.ts';
import { drawNegatives, type NegativePool } from '../../../sae-registry/labelling/negatives.ts';
import { seededRandom } from '../../../sae-registry/labelling/seeded-random.ts';
import { SharedTokens } from '../../../sae-registry/labelling/shared-tokens.ts';
import { balancedAccuracy, emptyTally, f1, judgements, tally } from '../../../sae-registry/labelling/tally.ts';
import { batches } from '../../../sae-registry/labelling/trial.ts';
import { passage } from './passages.ts';

const place = (feature: number, n: number) => `in place ${feature} number ${n} there was a [word${feature}] to be seen`;
const passagesOf = (feature: number) => Array.from({ length: 12 }, (_, n) => passage(place(feature, n), 20 - n));
const pool: NegativePool = {
  features: Array.from({ length: 30 }, (_, feature) => feature),
  neighbours: (feature) => [feature + 1, feature + 2, feature + 3],
  passages: passagesOf,
};
const textOf = (passages: readonly { readonly tokens: readonly string[] }[]) =>
  passages.map(({ tokens }) => tokens.join(''));
const featuresOf = (texts: readonly string[]) => texts.map((text) => Number(/place (\d+)/.exec(text)?.[1]));

describe('seeded numbers', () => {
  it('are the same for the same seed only, and cover what they are drawn from', () => {
    const draw = (...seeds: number[]) => {
      const random = seededRandom(...seeds);
      return Array.from({ length: 200 }, () => random.below(6));
    };
    expect(draw(1, 5)).toEqual(draw(1, 5));
    expect(draw(1, 5)).not.toEqual(draw(5, 1));
    expect(new Set(draw(3))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    const shuffled = seededRandom(2).shuffled([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(shuffled.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(shuffled).not.toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe('passages of other features', () => {
  const draw = (seed: number, own = passagesOf(0)) => drawNegatives(0, own, pool, 10, seededRandom(seed));

  it("are half of neighbours, never the feature's own, never two of one feature", () => {
    for (let seed = 0; seed < 50; seed++) {
      const { hard, random } = draw(seed);
      const [near, far] = [featuresOf(textOf(hard)), featuresOf(textOf(random))];
      expect(near.toSorted()).toEqual([1, 2, 3]);
      expect(far).toHaveLength(7);
      expect(new Set([...near, ...far]).size).toBe(10);
      expect([...near, ...far]).not.toContain(0);
    }
  });

  it('are the same for the same seed', () => {
    expect(draw(4)).toEqual(draw(4));
    expect(draw(4)).not.toEqual(draw(5));
  });

  it('are never those that overlap with its own, at whatever offset', () => {
    const shifted = { ...passage(`x y ${place(0, 3)}`) };
    const overlapping: NegativePool = {
      features: [0, 1, 2],
      neighbours: () => [1, 2],
      passages: (feature) => (feature === 1 ? [shifted] : passagesOf(feature)),
    };
    const { hard, random } = drawNegatives(0, passagesOf(0), overlapping, 4, seededRandom(1));
    expect(featuresOf(textOf([...hard, ...random]))).toEqual([2]);
  });

  it('are few where there are few', () => {
    const lonely: NegativePool = { features: [0], neighbours: () => [], passages: passagesOf };
    expect(drawNegatives(0, passagesOf(0), lonely, 10, seededRandom(1))).toEqual({ hard: [], random: [] });
  });
});

describe('neighbours by shared tokens', () => {
  it('share rare tokens first, whatever their case', () => {
    const tokens = new SharedTokens();
    tokens.add(1, [' Cat', 'the']);
    tokens.add(2, ['the', ' of']);
    tokens.add(3, ['the']);
    tokens.add(4, ['cat ', 'the']);
    tokens.add(5, [' dog', '\n']);
    tokens.add(6, [' ', '\n']);
    expect(tokens.neighbours(1)).toEqual([4, 2, 3]);
    expect(tokens.neighbours(5)).toEqual([]);
    expect(tokens.neighbours(99)).toEqual([]);
  });
});

describe('detection', () => {
  const negatives = drawNegatives(0, passagesOf(0), pool, 10, seededRandom(1));

  it('asks about own passages and others, held out ones first, shuffled', () => {
    const { trials, seen } = detectionTrials(passagesOf(0), negatives, 10, seededRandom(1));
    expect(trials.map(({ kind }) => kind).toSorted()).toEqual([
      ...Array(3).fill('hard'),
      ...Array(10).fill('own'),
      ...Array(7).fill('random'),
    ]);
    expect(seen).toBe(4);
    for (const { truth, text } of trials) expect(truth).toBe(featuresOf([text])[0] === 0);
    const order = trials.map(({ truth }) => truth);
    expect(order).not.toEqual(order.toSorted());
    const held = [1, 3, 5, 7, 9, 11].map((n) => `number ${n} `);
    for (const number of held) expect(trials.some(({ text, truth }) => truth && text.includes(number))).toBe(true);
  });

  it('is not possible without both kinds', () => {
    expect(detectionTrials(passagesOf(0), { hard: [], random: [] }, 10, seededRandom(1)).trials).toEqual([]);
    expect(detectionTrials([], negatives, 10, seededRandom(1)).trials).toEqual([]);
  });
});

describe('fuzzing', () => {
  const { trials, seen } = fuzzingTrials(passagesOf(0), 10, seededRandom(1));
  it('marks half of the passages rightly and half wrongly, none twice', () => {
    expect(trials.filter(({ truth }) => truth)).toHaveLength(5);
    expect(seen).toBe(4);
    expect(new Set(trials.map(({ text }) => text.replace(/<<|>>/g, ''))).size).toBe(10);
    for (const { truth, text, kind } of trials) {
      expect(text.match(/<<.+?>>/g)).toHaveLength(1);
      expect(text.includes('<<word0>>')).toBe(truth);
      expect(kind).toBe(truth ? 'own' : 'wrong_marks');
    }
  });

  it('marks as many wrong tokens as fire on average, rounded up', () => {
    const two = Array.from({ length: 6 }, (_, n) =>
      passage(`at ${n} the [one] and [two] of them ${n === 0 ? '[three]' : ''}`),
    );
    for (const { text, truth } of fuzzingTrials(two, 6, seededRandom(2)).trials) {
      const marked = [...text.matchAll(/<<(.+?)>>/g)].flatMap(([, run = '']) => run.split(' ')).filter(Boolean);
      expect(marked.length).toBe(truth && !text.includes('three') ? 2 : 3);
      if (!truth) expect(marked.filter((word) => ['one', 'two', 'three'].includes(word))).toEqual([]);
    }
  });

  it('is not possible without activations of each token, or where every token fires', () => {
    const bare = passagesOf(0).map((one) => ({ ...one, values: null }));
    expect(fuzzingTrials(bare, 10, seededRandom(1)).trials).toEqual([]);
    const everywhere = [passage('[all] [of] [it]'), passage('[and] [that] [too]')];
    expect(fuzzingTrials(everywhere, 10, seededRandom(1)).trials).toEqual([]);
    expect(fuzzingTrials(passagesOf(0).slice(0, 1), 10, seededRandom(1)).trials).toEqual([]);
  });
});

describe('a score', () => {
  const truths = [true, true, true, false];
  it('weighs both kinds alike', () => {
    const counts = tally(emptyTally, truths, [true, true, false, true]);
    expect(counts).toEqual({ truePositives: 2, falsePositives: 1, trueNegatives: 0, falseNegatives: 1, unjudged: 0 });
    expect(balancedAccuracy(counts)).toBeCloseTo(1 / 3, 12);
    expect(f1(counts)).toBeCloseTo(2 / 3, 12);
    expect(balancedAccuracy(tally(counts, truths, truths))).toBeCloseTo((5 / 6 + 1 / 2) / 2, 12);
  });

  it('counts what was not judged as neither right nor wrong', () => {
    const counts = tally(tally(emptyTally, truths, truths), truths, null);
    expect(counts.unjudged).toBe(4);
    expect(judgements(counts)).toBe(4);
    expect(balancedAccuracy(counts)).toBe(1);
    expect(balancedAccuracy(tally(emptyTally, truths, null))).toBeNull();
    expect(f1(emptyTally)).toBeNull();
    expect(balancedAccuracy(tally(emptyTally, [true], [true]))).toBeNull();
  });

  it('is judged in groups', () => {
    const trials = Array.from({ length: 7 }, (_, i) => ({ text: `${i}`, truth: true, kind: 'own' as const }));
    expect(batches(trials, 5).map((group) => group.length)).toEqual([5, 2]);
  });
});
