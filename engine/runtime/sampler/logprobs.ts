import type { TokenLogprob } from '../../core/request.ts';
import type { LogitsRow } from '../../core/step.ts';

/**
 * Log-probabilities under the model's own distribution: before temperature, penalties, bias and bans, as OpenAI's API and
 * vLLM's `raw_logprobs` report them. logprob = logit − log Σ exp(logits).
 *
 * @param count how many of the most likely tokens to list, 0–20
 */
export function tokenLogprob(row: LogitsRow, tokenId: number, count: number): TokenLogprob {
  const { topValues, topTokenIds, logSumExp } = row;
  const rank = topTokenIds.indexOf(tokenId);
  const logit = rank >= 0 ? topValues[rank] : row.full()[tokenId];
  const top = Array.from(topValues.subarray(0, count), (value, at) => ({
    tokenId: topTokenIds[at] as number,
    logprob: value - logSumExp,
  }));
  return { tokenId, logprob: (logit ?? Number.NaN) - logSumExp, top };
}
