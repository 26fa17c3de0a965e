import type { SamplingParameters } from '../../core/request.ts';

/** What a choice depends on besides the logits. */
export interface SamplingState {
  readonly promptTokenIds: ReadonlySet<number>;
  /** Generated token id → how often. */
  readonly generatedCounts: ReadonlyMap<number, number>;
  /** Tokens that may not be chosen now: the ends of a reply, before min_tokens. */
  readonly banned: Iterable<number>;
}

/** Whether `adjustLogits` could change anything. */
export function isAdjusted(sampling: SamplingParameters, state: SamplingState): boolean {
  for (const _ of state.banned) return true;
  return (
    sampling.logitBias.size > 0 ||
    sampling.repetitionPenalty !== 1 ||
    ((sampling.frequencyPenalty !== 0 || sampling.presencePenalty !== 0) && state.generatedCounts.size > 0)
  );
}

/**
 * Logits with everything applied that can change even a greedy choice, in vLLM's order (vllm/v1/sample/sampler.py): banned
 * tokens, bias, repetition penalty, frequency and presence penalties.
 *
 * Repetition penalty θ as in transformers' RepetitionPenaltyLogitsProcessor and Keskar et al. 2019, but with negative
 * logits multiplied: l/θ if l > 0 else l·θ, for tokens of the prompt and of the reply. Frequency and presence penalties as
 * in OpenAI's API: l − count·frequency − presence, for tokens of the reply.
 *
 * @param logits one per token id; left as it is
 * @returns a copy
 */
export function adjustLogits(logits: Float32Array, sampling: SamplingParameters, state: SamplingState): Float32Array {
  const adjusted = logits.slice();
  const update = (id: number, change: (logit: number) => number) => {
    const logit = adjusted[id];
    if (logit !== undefined) adjusted[id] = change(logit);
  };
  for (const id of state.banned) update(id, () => Number.NEGATIVE_INFINITY);
  for (const [id, bias] of sampling.logitBias) update(id, (logit) => logit + bias);
  const { repetitionPenalty, frequencyPenalty, presencePenalty } = sampling;
  if (repetitionPenalty !== 1) {
    const penalise = (logit: number) => (logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty);
    for (const id of state.promptTokenIds) update(id, penalise);
    for (const id of state.generatedCounts.keys()) if (!state.promptTokenIds.has(id)) update(id, penalise);
  }
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (const [id, count] of state.generatedCounts) {
      update(id, (logit) => logit - count * frequencyPenalty - presencePenalty);
    }
  }
  return adjusted;
}
