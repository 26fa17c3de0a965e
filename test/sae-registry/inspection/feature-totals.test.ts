import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '../../../engine/core/index.ts';
import { FeatureTotals, rankTotals, strongestFeatures, type TotalRanking } from '../../../sae-registry/index.ts';

/** Of each token: index → value. */
function activationsOf(tokens: readonly Readonly<Record<number, number>>[]): SparseActivations {
  const offsets = [0];
  const told = tokens.flatMap((token) => {
    const own = Object.entries(token).map(([index, value]) => [Number(index), value] as const);
    offsets.push((offsets.at(-1) as number) + own.length);
    return own;
  });
  return {
    tokens: tokens.length,
    offsets: Uint32Array.from(offsets),
    indices: Uint32Array.from(told, ([index]) => index),
    values: Float32Array.from(told, ([, value]) => value),
    active: Uint32Array.from(tokens, (token) => Object.keys(token).length),
    norms: new Float32Array(tokens.length),
  };
}

describe('what features do on a text', () => {
  it('is the same in one piece and in several, over the tokens that count', () => {
    const tokens: Record<number, number>[] = [{ 5: 100 }, { 5: 2, 7: 1 }, { 7: 4 }, {}, { 5: 2, 9: 3 }];
    const counts = [false, true, true, true, true];
    const expected = [
      { index: 5, max: 2, mean: 1, sum: 4, count: 2, last: 2, frequency: 0.5, position: 1 },
      { index: 7, max: 4, mean: 1.25, sum: 5, count: 2, last: 0, frequency: 0.5, position: 2 },
      { index: 9, max: 3, mean: 0.75, sum: 3, count: 1, last: 3, frequency: 0.25, position: 4 },
    ];
    for (const cut of [0, 1, 2, 4]) {
      const totals = new FeatureTotals();
      for (const [from, to] of [
        [0, cut],
        [cut, 5],
      ] as const) {
        totals.add(activationsOf(tokens.slice(from, to)), counts.slice(from, to), from);
      }
      expect(totals.tokens).toBe(4);
      expect(totals.all().toSorted((a, b) => a.index - b.index)).toEqual(expected);
      expect(totals.of(8)).toEqual({
        index: 8,
        max: 0,
        mean: 0,
        sum: 0,
        count: 0,
        last: 0,
        frequency: 0,
        position: null,
      });
    }
  });

  it('ranks by any of its figures', () => {
    const totals = new FeatureTotals();
    totals.add(activationsOf([{ 1: 5, 2: 1, 3: 2 }, { 2: 1, 3: 2 }, { 2: 1 }]), [true, true, true], 0);
    const by = (ranking: TotalRanking) => rankTotals(totals.all(), ranking, 2).map(({ index }) => index);
    expect(by('max')).toEqual([1, 3]);
    expect(by('sum')).toEqual([1, 3]);
    expect(by('count')).toEqual([2, 3]);
    expect(by('frequency')).toEqual([2, 3]);
    // of equal ones the greater maximum
    expect(by('last')).toEqual([2, 1]);
  });
});

describe('the strongest features of a token', () => {
  it('come strongest first, of equal ones the lower index, none of tokens that do not count', () => {
    const activations = activationsOf([{ 1: 9 }, { 1: 2, 4: 3, 6: 3, 8: 1 }, {}, { 2: 1 }]);
    const found = strongestFeatures(activations, [false, true, true, true], 3, null);
    expect([...found.offsets]).toEqual([0, 0, 3, 3, 4]);
    expect([...found.indices]).toEqual([4, 6, 1, 2]);
    expect([...found.values]).toEqual([3, 3, 2, 1]);
    const chosen = strongestFeatures(activations, [true, true, true, true], 9, new Set([1, 8]));
    expect([...chosen.indices]).toEqual([1, 1, 8]);
  });
});
