import { describe, expect, it } from 'vitest';
import type { SourceReading } from '../../../sae-registry/index.ts';
import { compareActivations } from '../../../sae-registry/matching/compare-activations.ts';
import { CorrelationSums } from '../../../sae-registry/matching/correlation-sums.ts';
import { asActivations, randomFirings } from '../cofiring/random-firings.ts';

const features = 12;
const tokens = 600;
const value = (seed: number) => (t: number, j: number) => 1 + Math.sin(seed + t * 7 + j * 13) ** 2;
const one = randomFirings(tokens, features, 3);
const other = randomFirings(tokens, features + 3, 3);

/** Activations of a feature on every token. */
const plain = (rows: readonly Uint32Array[], feature: number, of: (t: number, j: number) => number) =>
  rows.map((row, t) => (row.includes(feature) ? Math.fround(of(t, feature)) : 0));

function pearson(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const shared = mean(x.map((each, t) => (each - mx) * ((y[t] ?? 0) - my)));
  const spread = (values: readonly number[], m: number) => Math.sqrt(mean(values.map((each) => (each - m) ** 2)));
  const scale = spread(x, mx) * spread(y, my);
  return scale === 0 ? 0 : shared / scale;
}

async function* reading(...sources: readonly (readonly [readonly Uint32Array[], number])[]) {
  for (let from = 0; from < tokens; from += 75) {
    yield sources.map(
      ([rows, seed]): SourceReading => ({
        activations: asActivations(rows.slice(from, from + 75), (t, j) => value(seed)(from + t, j)),
        sinkNorm: null,
      }),
    );
  }
}

describe('correlations of activations', () => {
  it('are those of the plain formula, over all texts', async () => {
    const sums = new CorrelationSums(features, features + 3);
    for await (const [a, b] of reading([one, 1], [other, 2])) {
      if (a && b)
        sums.add(
          a.activations,
          b.activations,
          Array.from({ length: 76 }, (_, t) => t > 0),
        );
    }
    expect(sums.tokens).toBe(tokens);
    const { values, columns, ofA, ofB } = await sums.correlations(5, null);
    const fires = (rows: readonly Uint32Array[], j: number) => rows.filter((row) => row.includes(j)).length;
    expect(ofA).toEqual(Array.from({ length: features }, (_, j) => j).filter((j) => fires(one, j) >= 5));
    for (const [row, a] of ofA.entries()) {
      for (const [column, b] of ofB.entries()) {
        const expected = pearson(plain(one, a, value(1)), plain(other, b, value(2)));
        expect(values[row * columns + column]).toBeCloseTo(expected, 5);
      }
    }
  });
});

describe('comparing dictionaries by activation', () => {
  it('finds the same features under other numbers, and counts what was compared', async () => {
    const turned = one.map((row) => row.map((j) => features - 1 - j).toReversed());
    const sameValues = (rows: readonly Uint32Array[], flip: boolean, from: number): SourceReading => ({
      activations: asActivations(rows, (t, j) => value(1)(from + t, flip ? features - 1 - j : j)),
      sinkNorm: null,
    });
    const readings = async function* () {
      for (let from = 0; from < tokens; from += 75) {
        const part = (rows: readonly Uint32Array[]) => rows.slice(from, from + 75);
        yield [sameValues(part(one), false, from), sameValues(part(turned), true, from)];
      }
    };
    const result = await compareActivations({ features }, { features }, readings(), { pace: null });
    const often = Array.from({ length: features }, (_, j) => one.filter((row) => row.includes(j)).length >= 5);
    const compared = often.filter(Boolean).length;
    expect(compared).toBeGreaterThan(6);
    expect(result).toMatchObject({ by: 'activation', tokens, featuresOfA: features, comparedOfA: compared });
    expect(result.stability).toBeCloseTo(1, 5);
    expect(result.pairs.map(({ a, b }) => a + b)).toEqual(Array(compared).fill(features - 1));
    expect(result.optimal.found[2]).toMatchObject({ threshold: 0.9, pairs: compared, shareOfA: 1, shareOfB: 1 });
  });

  it('reads a source once that is compared with itself', async () => {
    const result = await compareActivations({ features }, { features }, reading([one, 1]), { pace: null });
    expect(result.stability).toBeCloseTo(1, 5);
    expect(result.pairs.every(({ a, b }) => a === b)).toBe(true);
  });

  it('refuses what is too large before it reads, and texts on which nothing fires', async () => {
    const unread = (async function* (): AsyncGenerator<readonly SourceReading[]> {
      yield Promise.reject(new Error('was read'));
    })();
    const large = { features: 2 ** 16 };
    await expect(compareActivations(large, large, unread, { pace: null })).rejects.toThrow(/32768 MiB/);
    const few = compareActivations({ features: 2 }, { features: 2 }, reading([[], 1]), { pace: null });
    await expect(few).rejects.toThrow(/no feature of 'a' fires 5 times/);
  });
});
