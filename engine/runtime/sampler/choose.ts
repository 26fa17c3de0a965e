import type { SamplingParameters } from '../../core/request.ts';
import type { DescendingLogits } from './descending.ts';

/** The rules that cut a distribution down. */
export type Truncation = Pick<SamplingParameters, 'temperature' | 'topP' | 'topK' | 'minP'>;

/**
 * Draws by inverse CDF over the tokens that survive, in descending order. Weights are w = exp((l − l₀)/T), l₀ the largest.
 * The order is vLLM's (vllm/v1/sample/sampler.py and sample/ops/topk_topp_sampler.py): temperature, then
 *
 *     min_p   keeps w ≥ min_p (w is relative to the largest probability)
 *     top_k   keeps the first k
 *     top_p   keeps a token when the mass before it is below top_p of what is left; always at least one
 *
 * with one difference: tokens tied with the k-th are not all kept, but those of lowest id, so that the choice is a function
 * of the logits alone.
 *
 * @param total sum of the weights of all tokens. Used only where neither min_p nor top_k cuts.
 * @param u uniform in [0, 1)
 * @returns the chosen rank; null when `order` ends before the choice is certain
 */
export function chooseRank(order: DescendingLogits, truncation: Truncation, total: number, u: number): number | null {
  const { topK, minP, topP, temperature } = truncation;
  const largest = order.logit(0);
  if (largest === undefined) return null;
  const weights: Weights = {
    complete: order.complete,
    at: (rank) => {
      const logit = order.logit(rank);
      return logit === undefined ? null : Math.exp((logit - largest) / temperature);
    },
  };
  let kept: Prefix | null = { count: Number.POSITIVE_INFINITY, mass: total };
  if (topK > 0 || minP > 0) {
    kept = keepFirst(weights, topK > 0 ? topK : Number.POSITIVE_INFINITY, (weight) => weight >= minP);
  }
  if (kept !== null && topP < 1) {
    const wanted = topP * kept.mass;
    kept = keepFirst(weights, kept.count, (_, massBefore) => massBefore < wanted || massBefore === 0);
  }
  return kept && inverse(weights, kept.count, u * kept.mass);
}

interface Weights {
  readonly complete: boolean;
  /** Weight at a rank; null past the end. */
  at(rank: number): number | null;
}

interface Prefix {
  readonly count: number;
  readonly mass: number;
}

/** The first ranks, at most `limit`, that `keep` holds for; null when the known order ends before that is decided. */
function keepFirst(
  weights: Weights,
  limit: number,
  keep: (weight: number, massBefore: number) => boolean,
): Prefix | null {
  let mass = 0;
  for (let rank = 0; rank < limit; rank++) {
    const weight = weights.at(rank);
    if (weight === null && !weights.complete) return null;
    if (weight === null || !keep(weight, mass)) return { count: rank, mass };
    mass += weight;
  }
  return { count: limit, mass };
}

/** First of `count` ranks whose cumulative weight exceeds `target`; the last where rounding leaves it just short. */
function inverse(weights: Weights, count: number, target: number): number | null {
  let cumulative = 0;
  for (let rank = 0; rank < count; rank++) {
    const weight = weights.at(rank);
    if (weight === null) return weights.complete ? rank - 1 : null;
    cumulative += weight;
    if (cumulative > target) return rank;
  }
  return count - 1;
}
