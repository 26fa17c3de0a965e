import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '../../engine/core/index.ts';
import { activeFeatures, countedTokens, rankActivations } from '../../sae-registry/index.ts';

/** Token by token, feature to value. */
function sparse(tokens: readonly Record<number, number>[], norms = tokens.map(() => 1)): SparseActivations {
  const offsets = new Uint32Array(tokens.length + 1);
  for (const [t, each] of tokens.entries()) offsets[t + 1] = (offsets[t] as number) + Object.keys(each).length;
  return {
    tokens: tokens.length,
    offsets,
    indices: Uint32Array.from(tokens.flatMap((each) => Object.keys(each).map(Number))),
    values: Float32Array.from(tokens.flatMap((each) => Object.values(each))),
    active: Uint32Array.from(tokens, (each) => Object.keys(each).length),
    norms: Float32Array.from(norms),
  };
}

const text = sparse([{ 1: 99 }, { 2: 3, 5: 1 }, { 2: 1, 7: 50 }, { 5: 1 }, { 2: 3 }], [1, 1, 900, 1, 1]);

describe('features by what they did on a text', () => {
  it('does not count the first token, nor sinks where they are known', () => {
    expect(countedTokens(text, 100)).toEqual([false, true, false, true, true]);
    expect(countedTokens(text, null)).toEqual([false, true, true, true, true]);
  });

  it('has maximum, mean over all tokens that count, number and the first place of the maximum', () => {
    const found = activeFeatures(text, countedTokens(text, 100));
    expect(found).toEqual([
      { index: 2, max: 3, mean: 2, count: 2, position: 1 },
      { index: 5, max: 1, mean: 2 / 3, count: 2, position: 1 },
    ]);
  });

  it('ranks by each, equal ones by their maximum, then by index', () => {
    const found = activeFeatures(text, countedTokens(text, null));
    const order = (by: 'max' | 'mean' | 'count', limit = 9) =>
      rankActivations(found, by, limit).map(({ index }) => index);
    expect(order('max')).toEqual([7, 2, 5]);
    expect(order('mean')).toEqual([7, 2, 5]);
    expect(order('count')).toEqual([2, 5, 7]);
    expect(order('count', 1)).toEqual([2]);
  });
});
