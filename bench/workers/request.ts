import type { Edit, GenerateRequest } from '../../engine/core/index.ts';
import { greedyRequest as greedy } from '../../engine/index.ts';

let made = 0;

/** A greedy request that goes on for `maxTokens` tokens whatever they are. */
export function greedyRequest(
  prompt: readonly number[],
  maxTokens: number,
  edits: readonly Edit[] = [],
  signal: AbortSignal | null = null,
): GenerateRequest {
  const request = greedy(`bench-${made++}`, Int32Array.from(prompt), maxTokens, { edits, signal });
  return { ...request, stop: { ...request.stop, ignoreEos: true } };
}
