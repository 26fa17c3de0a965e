import type { Edit, GenerateRequest } from '../../engine/core/index.ts';

let made = 0;

/** A greedy request that goes on for `maxTokens` tokens whatever they are. */
export function greedyRequest(
  prompt: readonly number[],
  maxTokens: number,
  edits: readonly Edit[] = [],
  signal: AbortSignal | null = null,
): GenerateRequest {
  return {
    id: `bench-${made++}`,
    promptTokenIds: Int32Array.from(prompt),
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: new Map(),
      seed: 0,
    },
    stop: { maxTokens, minTokens: 0, strings: [], tokenIds: [], ignoreEos: true, includeStopString: false },
    logprobs: null,
    promptLogprobs: null,
    edits,
    positionContext: {
      promptLength: prompt.length,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array(prompt.length),
      specialTokenIds: new Set(),
    },
    deadline: null,
    signal,
  };
}
