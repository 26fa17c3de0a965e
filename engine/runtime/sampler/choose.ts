import type { SamplingParameters } from '../../core/request.ts';
import type { Prefix, Ranking } from './ranking.ts';

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
 * @param lastKept where top_p cuts behind the end of `ranking`: what the last token kept may weigh, which is what may be
 *   kept beyond top_p's share; null to give up there
 * @returns the chosen rank; null when `ranking` ends before the choice is certain
 */
export function chooseRank(
  ranking: Ranking,
  truncation: Truncation,
  total: number,
  u: number,
  lastKept: number | null = null,
): number | null {
  const { topK, minP, topP } = truncation;
  let kept: Prefix | null = { count: Number.POSITIVE_INFINITY, mass: total };
  if (topK > 0 || minP > 0) kept = ranking.heaviest(minP, topK > 0 ? topK : Number.POSITIVE_INFINITY);
  if (kept !== null && topP < 1) {
    const wanted = topP * kept.mass;
    const cut = ranking.reaching(wanted, kept.count, false);
    kept = cut ?? (lastKept === null ? null : { count: kept.count, mass: wanted + lastKept });
  }
  const chosen = kept && ranking.reaching(u * kept.mass, kept.count, true);
  return chosen && chosen.count - 1;
}
