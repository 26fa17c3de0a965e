import { jsonType } from '../http/accept.ts';
import { refuseLargeAnswer } from '../http/answer-size.ts';
import type { Inspection } from '../services.ts';
import type { ReadingPlan } from './reading-plan.ts';

/** JSON is text that both sides have to parse; of numbers as they are an answer may hold more. */
const mostJsonBytes = 64e6;
const mostTensorBytes = 256e6;

/** Bytes of one of these in JSON (`{"index":12345,"value":12.345678},`, with label) and as tensors, rather too many than too few. */
const jsonBytes = { token: 130, activation: 36, feature: 400 };
const tensorBytes = { token: 32, activation: 8, feature: 36 };

/**
 * Throws `answer_too_large` where the answer could be larger than it may be: every token with as many features as can be told of it.
 * Streams have no size.
 */
export function refuseLargeActivations(
  { requests, over, inputs }: ReadingPlan,
  { sources }: Inspection,
  { type, chosen }: { readonly type: string; readonly chosen: boolean },
): void {
  const each = type === jsonType ? jsonBytes : tensorBytes;
  let bytes = 0;
  for (const [i, { tokenIds }] of inputs.entries()) {
    const reply = requests[i]?.stop.maxTokens ?? 0;
    const told = over === 'prompt' ? tokenIds.length : over === 'generated' ? reply : tokenIds.length + reply;
    bytes += (tokenIds.length + reply) * each.token;
    for (const source of sources) {
      bytes += told * source.perToken * each.activation + source.perText * each.feature;
    }
  }
  const fewer = chosen ? 'name fewer features or inputs' : "lower 'top_k_per_token', or name fewer sources or inputs";
  const wayOut = type === jsonType ? `${fewer}, or accept 'application/vnd.safetensors', which takes a quarter` : fewer;
  refuseLargeAnswer({
    bytes,
    limit: type === jsonType ? mostJsonBytes : mostTensorBytes,
    param: chosen ? 'features' : 'top_k_per_token',
    wayOut,
  });
}
