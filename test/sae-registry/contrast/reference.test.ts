import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dot, lengthOf } from '../../../sae-registry/contrast/arithmetic.ts';
import { auroc, contrastDirection, contrastMethods, denseRows } from '../../../sae-registry/contrast/index.ts';
import { ledoitWolf } from '../../../sae-registry/contrast/mass-mean.ts';
import { centredRows, meanRow } from '../../../sae-registry/contrast/rows.ts';

/** Made by test/fixtures/make_contrast.py with numpy and scikit-learn. */
const folder = join(import.meta.dirname, '..', '..', 'fixtures', 'contrast');
const floats = z.string().transform((text) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer));
const fixtureSchema = z.object({
  rows: z.int(),
  width: z.int(),
  samples: floats,
  difference_of_means: floats,
  paired_pca: floats,
  paired_pca_center: floats,
  logistic: floats,
  mass_mean: floats,
  shrinkage: z.number(),
  auroc: z.object({ area: z.number(), low: z.number(), high: z.number() }),
});

const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => dot(a, b) / lengthOf(a) / lengthOf(b);
const fixtures = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];

it('has a set with more and one with fewer samples than dimensions', () => {
  expect(fixtures).toEqual(expect.arrayContaining(['wide.json', 'real.json']));
});

describe.each(fixtures)('%s', (name) => {
  const fixture = fixtureSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
  const rows = denseRows(fixture.samples, fixture.width);
  const positive = Array.from({ length: fixture.rows }, (_, row) => row % 2 === 0);
  const pairs = Array.from({ length: fixture.rows / 2 }, (_, i) => ({ positive: 2 * i, negative: 2 * i + 1 }));
  const classes = { rows, positive, pairs };

  it.each(contrastMethods)('%s points where the reference does', async (method) => {
    const found = await contrastDirection(classes, method, null);
    const wanted = fixture[method];
    // both were float32 once: their cosine is 1 but for its rounding
    expect(cosine(found.direction, wanted)).toBeGreaterThan(method === 'logistic' ? 0.999 : 0.9999);
    expect(lengthOf(found.direction)).toBeCloseTo(1, 12);
  });

  it('gives the difference of means itself to 1e-5', async () => {
    const { direction, separation } = await contrastDirection(classes, 'difference_of_means', null);
    const scale = lengthOf(fixture.difference_of_means);
    const off = direction.map((value, i) => Math.abs(value * separation - fixture.difference_of_means[i]) / scale);
    expect(Math.max(...off)).toBeLessThan(1e-5);
  });

  it('gives the same numbers whatever else the event loop does', async () => {
    let turns = 0;
    const pace = { isDue: () => true, turn: async () => void turns++ };
    for (const method of contrastMethods) {
      const [alone, beside] = [
        await contrastDirection(classes, method, null),
        await contrastDirection(classes, method, pace),
      ];
      expect(beside).toEqual(alone);
    }
    expect(turns).toBeGreaterThan(0);
  });

  it("shrinks a covariance as scikit-learn's ledoit_wolf does", async () => {
    const mean = {
      true: await meanRow(rows.only(pairs.map((pair) => pair.positive)), null),
      false: await meanRow(rows.only(pairs.map((pair) => pair.negative)), null),
    };
    const within = await centredRows(rows, (row) => mean[`${positive[row]}`], 1, null);
    expect((await ledoitWolf(within, null)).shrinkage).toBeCloseTo(fixture.shrinkage, 6);
  });

  it("gives scikit-learn's AUROC, and DeLong's interval as the definition does", () => {
    const scores = Array.from({ length: fixture.rows }, (_, row) => fixture.samples[row * fixture.width]);
    const of = (which: boolean) => scores.filter((_, row) => positive[row] === which);
    const { auroc: area, low, high } = auroc(of(true), of(false));
    expect(area).toBeCloseTo(fixture.auroc.area, 12);
    expect(low).toBeCloseTo(fixture.auroc.low, 12);
    expect(high).toBeCloseTo(fixture.auroc.high, 12);
  });
});
