import type { SparseActivations } from '../engine/core/index.ts';

/** By what features are ranked over the tokens of a text. */
export const activationRankings = ['max', 'mean', 'count'] as const;
export type ActivationRanking = (typeof activationRankings)[number];

/** What one feature did on a text, over the tokens that count. */
export interface ActiveFeature {
  readonly index: number;
  readonly max: number;
  /** Over all tokens that count, those on which it is silent too. */
  readonly mean: number;
  /** On how many tokens it is active. */
  readonly count: number;
  /** The token of its maximum, the first of equal ones. */
  readonly position: number;
}

/**
 * Which tokens say something: all but the first, which is an attention sink, and those whose norm is beyond `sinkNorm` (null: not
 * known). [tokens]
 */
export function countedTokens({ norms }: SparseActivations, sinkNorm: number | null): boolean[] {
  return Array.from(norms, (norm, t) => t > 0 && (sinkNorm === null || norm <= sinkNorm));
}

/** What each feature did on the tokens that count, in no order. */
export function activeFeatures(
  { tokens, offsets, indices, values }: SparseActivations,
  counted: readonly boolean[],
): ActiveFeature[] {
  const found = new Map<number, { max: number; sum: number; count: number; position: number }>();
  let over = 0;
  for (let t = 0; t < tokens; t++) {
    if (!counted[t]) continue;
    over++;
    for (let at = offsets[t] as number; at < (offsets[t + 1] as number); at++) {
      const index = indices[at] as number;
      const value = values[at] as number;
      const known = found.get(index);
      if (!known) found.set(index, { max: value, sum: value, count: 1, position: t });
      else {
        known.sum += value;
        known.count++;
        if (value > known.max) Object.assign(known, { max: value, position: t });
      }
    }
  }
  return Array.from(found, ([index, { max, sum, count, position }]) => ({
    index,
    max,
    mean: sum / over,
    count,
    position,
  }));
}

/** The first `limit` features; of equal ones those with the greater maximum, then the lower index. */
export function rankActivations(
  features: readonly ActiveFeature[],
  by: ActivationRanking,
  limit: number,
): ActiveFeature[] {
  return features.toSorted((a, b) => b[by] - a[by] || b.max - a.max || a.index - b.index).slice(0, limit);
}
