import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDictionary, type Dictionary, plainDictionary, residentVectors } from '../../../sae-registry/index.ts';
import { compareDictionaries } from '../../../sae-registry/matching/compare.ts';
import { cosineMatrix, type PairValues, unitVectors } from '../../../sae-registry/matching/cosine-matrix.ts';
import { greedyMatching } from '../../../sae-registry/matching/greedy.ts';
import { optimalMatching } from '../../../sae-registry/matching/optimal.ts';

const pairsOf = fc
  .record({ rows: fc.integer({ min: 1, max: 6 }), columns: fc.integer({ min: 1, max: 6 }) })
  .chain(({ rows, columns }) =>
    fc
      .array(fc.integer({ min: -20, max: 20 }), { minLength: rows * columns, maxLength: rows * columns })
      .map((values): PairValues => ({ rows, columns, values: Float32Array.from(values, (value) => value / 20) })),
  );

/** The best sum of all one-to-one matchings that leave nothing unmatched that could be matched. */
function bestSum({ rows, columns, values }: PairValues): number {
  const most = Math.min(rows, columns);
  const from = (row: number, taken: ReadonlySet<number>): number => {
    if (taken.size === most) return 0;
    if (row === rows) return Number.NEGATIVE_INFINITY;
    let best = rows - row > most - taken.size ? from(row + 1, taken) : Number.NEGATIVE_INFINITY;
    for (let column = 0; column < columns; column++) {
      if (taken.has(column)) continue;
      best = Math.max(best, values[row * columns + column] + from(row + 1, new Set([...taken, column])));
    }
    return best;
  };
  return from(0, new Set());
}

const sumOf = ({ columns, values }: PairValues, matching: Int32Array) =>
  matching.reduce((sum, column, row) => sum + (column < 0 ? 0 : values[row * columns + column]), 0);

function expectOneToOne({ rows, columns }: PairValues, matching: Int32Array): void {
  const used = matching.filter((column) => column >= 0);
  expect(used).toHaveLength(Math.min(rows, columns));
  expect(new Set(used).size).toBe(used.length);
}

describe('pairing', () => {
  it('optimally gives the largest sum of all matchings', async () => {
    await fc.assert(
      fc.asyncProperty(pairsOf, async (pairs) => {
        const matching = await optimalMatching(pairs, { pace: null });
        expectOneToOne(pairs, matching);
        expect(sumOf(pairs, matching)).toBeCloseTo(bestSum(pairs), 5);
      }),
      { numRuns: 150 },
    );
  });

  it('greedily takes the largest value that is left, again and again', async () => {
    await fc.assert(
      fc.asyncProperty(pairsOf, async (pairs) => {
        const { rows, columns, values } = pairs;
        const matching = await greedyMatching(pairs, null);
        expectOneToOne(pairs, matching);
        const order = Array.from(values, (value, at) => ({
          value,
          row: Math.floor(at / columns),
          column: at % columns,
        }));
        order.sort((a, b) => b.value - a.value);
        const [rowsTaken, columnsTaken] = [new Set<number>(), new Set<number>()];
        const expected: number[] = [];
        for (const { value, row, column } of order) {
          if (rowsTaken.has(row) || columnsTaken.has(column)) continue;
          rowsTaken.add(row);
          columnsTaken.add(column);
          expected.push(value);
        }
        // Where values are equal the pairs may differ; without equal ones they are these.
        if (new Set(values).size === values.length) {
          expect(sumOf(pairs, matching)).toBeCloseTo(
            expected.reduce((sum, value) => sum + value, 0),
            5,
          );
        }
        expect(rowsTaken.size).toBe(Math.min(rows, columns));
      }),
      { numRuns: 150 },
    );
  });

  it('lets the event loop turn', async () => {
    let turns = 0;
    const pace = { isDue: () => true, turn: async () => void turns++ };
    await optimalMatching({ rows: 3, columns: 3, values: Float32Array.of(1, 1, 0, 1, 0, 0, 1, 0, 0.5) }, { pace });
    expect(turns).toBeGreaterThan(1);
  });
});

describe('cosines', () => {
  it('are those of the plain formula, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 9 }), async (rows, width) => {
        const columns = 1 + ((rows * 7) % 67);
        const numbers = (count: number, seed: number) =>
          Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * i));
        const [a, b] = [numbers(rows * width, 1), numbers(columns * width, 2)];
        const units = (values: Float32Array) =>
          unitVectors(residentVectors(values, values.length / width, width), null);
        const matrix = await cosineMatrix(await units(a), await units(b), width, { pace: null });
        const row = (values: Float32Array, at: number) => Array.from(values.subarray(at * width, (at + 1) * width));
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) {
            const [x, y] = [row(a, i), row(b, j)];
            const cosine =
              x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0) / Math.hypot(...x) / Math.hypot(...y);
            expect(matrix.values[i * columns + j]).toBeCloseTo(cosine, 5);
          }
        }
      }),
      { numRuns: 8 },
    );
  });
});

/** A dictionary whose decoder vectors these are. */
function dictionaryOf(vectors: readonly (readonly number[])[]): Dictionary {
  const width = vectors[0]?.length ?? 0;
  const decoder = residentVectors(Float32Array.from(vectors.flat()), vectors.length, width);
  return createDictionary({
    ...plainDictionary,
    ...{ modelName: null, hookPoint: null, hookPointOut: null, hash: 'x', encoder: decoder, decoder },
    encoderBias: new Float32Array(vectors.length),
    decoderBias: new Float32Array(width),
  });
}

describe('two dictionaries', () => {
  const axes = (...at: number[]) => Array.from({ length: 8 }, (_, i) => (at.includes(i) ? 1 : 0));

  it('that hold the same directions in another order and length are found to be one', async () => {
    const vectors = [0, 1, 2, 3, 4, 5].map((at) => axes(at, at + 2));
    const order = [3, 5, 0, 1, 4, 2];
    const other = dictionaryOf(order.map((at) => (vectors[at] ?? []).map((value) => value * (at + 2))));
    const result = await compareDictionaries(dictionaryOf(vectors), other, { pace: null });
    expect(result.stability).toBeCloseTo(1, 6);
    for (const { a, b } of result.pairs) expect(order[b]).toBe(a);
    expect(result.optimal.found.at(-1)).toEqual({ threshold: 0.9, pairs: 6, shareOfA: 1, shareOfB: 1 });
    expect([result.splitInA.count, result.splitInB.count, result.absorbedInA.count]).toEqual([0, 0, 0]);
  });

  it('show a split feature and an absorbed one', async () => {
    // B has 0 in two parts, and 3 takes up what A's 4 is about
    const a = dictionaryOf([axes(0, 1), axes(2), axes(3), [0, 0, 0, 1, 1.5, 0, 0, 0], axes(6)]);
    const b = dictionaryOf([axes(0), axes(1), axes(2), axes(3), axes(5), axes(7)]);
    const result = await compareDictionaries(a, b, { pace: null });
    expect(result.splitInB.best).toEqual([
      {
        feature: 0,
        parts: [
          { feature: 0, similarity: expect.closeTo(Math.SQRT1_2) },
          { feature: 1, similarity: expect.closeTo(Math.SQRT1_2) },
        ],
      },
    ]);
    expect(result.absorbedInB.best).toMatchObject([{ feature: 3, into: 3, pairedWith: 2, pairSimilarity: 1 }]);
    expect(result.optimal.found[0]).toMatchObject({ threshold: 0.5, pairs: 3, shareOfA: 3 / 5, shareOfB: 3 / 6 });
    const turned = await compareDictionaries(b, a, { pace: null });
    expect(turned.splitInA).toEqual(result.splitInB);
    expect(turned.absorbedInA).toEqual(result.absorbedInB);
    expect(turned.stability).toBeCloseTo(result.stability, 6);
  });

  it('of other widths, or too large to be compared, are refused', async () => {
    await expect(
      compareDictionaries(dictionaryOf([[1]]), dictionaryOf([[1, 0]]), { pace: null }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
    });
    const huge = { ...dictionaryOf([[1]]), features: 2 ** 20 };
    await expect(compareDictionaries(huge, huge, { pace: null })).rejects.toMatchObject({ code: 'unsupported' });
  });
});
