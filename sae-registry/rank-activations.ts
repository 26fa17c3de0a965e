import type { SparseActivations } from '../engine/core/index.ts';
import { FeatureTotals, rankTotals } from './inspection/feature-totals.ts';

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
 * Which tokens say something: all but the text's first, which is an attention sink, and those whose norm is beyond `sinkNorm` (null: not
 * known). [tokens]
 *
 * @param start position of the first of these tokens
 */
export function countedTokens({ norms }: SparseActivations, sinkNorm: number | null, start = 0): boolean[] {
  return Array.from(norms, (norm, t) => start + t > 0 && (sinkNorm === null || norm <= sinkNorm));
}

/** What each feature did on the tokens that count, in no order. */
export function activeFeatures(activations: SparseActivations, counted: readonly boolean[]): ActiveFeature[] {
  const totals = new FeatureTotals();
  totals.add(activations, counted, 0);
  return totals
    .all()
    .map(({ index, max, mean, count, position }) => ({ index, max, mean, count, position: position as number }));
}

/** The first `limit` features; of equal ones those with the greater maximum, then the lower index. */
export function rankActivations(
  features: readonly ActiveFeature[],
  by: ActivationRanking,
  limit: number,
): ActiveFeature[] {
  return rankTotals(features, by, limit);
}
