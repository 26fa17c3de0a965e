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

/** The tokens whose logits are adjusted, each once. Valid until the next call of `adjustLogits`. */
export interface AdjustedLogits {
  readonly tokenIds: Int32Array;
  /** New logits, by token id; meaningless for tokens that are not among `tokenIds`. */
  readonly values: Float32Array;
  has(tokenId: number): boolean;
}

// One row is adjusted at a time and nothing waits in between, so one set of arrays, as long as a row, serves all of them.
let values = new Float32Array(0);
let touched = new Uint8Array(0);
let touchedIds = new Int32Array(0);
let touchedCount = 0;
let copy = new Float32Array(0);

/**
 * Works out everything that can change even a greedy choice, in vLLM's order (vllm/v1/sample/sampler.py): banned tokens,
 * bias, repetition penalty, frequency and presence penalties. Only the tokens concerned are looked at.
 *
 * Repetition penalty θ as in transformers' RepetitionPenaltyLogitsProcessor and Keskar et al. 2019, but with negative
 * logits multiplied: l/θ if l > 0 else l·θ, for tokens of the prompt and of the reply. Frequency and presence penalties as
 * in OpenAI's API: l − count·frequency − presence, for tokens of the reply.
 *
 * @param logits one per token id; left as they are
 */
export function adjustLogits(logits: Float32Array, sampling: SamplingParameters, state: SamplingState): AdjustedLogits {
  reset(logits.length);
  const { repetitionPenalty, frequencyPenalty, presencePenalty } = sampling;
  for (const id of state.banned) set(logits, id, Number.NEGATIVE_INFINITY);
  for (const [id, bias] of sampling.logitBias) set(logits, id, current(logits, id) + bias);
  if (repetitionPenalty !== 1) {
    for (const id of state.promptTokenIds) penalise(logits, id, repetitionPenalty);
    for (const id of state.generatedCounts.keys())
      if (!state.promptTokenIds.has(id)) penalise(logits, id, repetitionPenalty);
  }
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (const [id, count] of state.generatedCounts) {
      set(logits, id, current(logits, id) - count * frequencyPenalty - presencePenalty);
    }
  }
  return { tokenIds: touchedIds.subarray(0, touchedCount), values, has: (id) => touched[id] === 1 };
}

/** The whole row with the adjustments in it, valid until the next call: a copy a token would keep the collector busy. */
export function applyAdjustments(logits: Float32Array, adjusted: AdjustedLogits): Float32Array {
  if (copy.length !== logits.length) copy = new Float32Array(logits.length);
  copy.set(logits);
  const whole = copy;
  for (const id of adjusted.tokenIds) whole[id] = adjusted.values[id] as number;
  return whole;
}

function reset(length: number): void {
  for (let at = 0; at < touchedCount; at++) touched[touchedIds[at] as number] = 0;
  touchedCount = 0;
  if (values.length >= length) return;
  values = new Float32Array(length);
  touched = new Uint8Array(length);
  touchedIds = new Int32Array(length);
}

function penalise(logits: Float32Array, id: number, penalty: number): void {
  const logit = current(logits, id);
  set(logits, id, logit > 0 ? logit / penalty : logit * penalty);
}

function current(logits: Float32Array, id: number): number {
  return (touched[id] === 1 ? values[id] : logits[id]) as number;
}

/** Ids outside the row are left out. */
function set(logits: Float32Array, id: number, value: number): void {
  if (id >= logits.length) return;
  if (touched[id] !== 1) {
    touched[id] = 1;
    touchedIds[touchedCount++] = id;
  }
  values[id] = value;
}
