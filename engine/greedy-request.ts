import type { GenerateRequest } from './core/request.ts';

/** A request for the likeliest token each time, `maxTokens` of them at most; `more` says what else is wanted. */
export function greedyRequest(
  id: string,
  promptTokenIds: Int32Array,
  maxTokens: number,
  more: Partial<GenerateRequest> = {},
): GenerateRequest {
  return {
    id,
    promptTokenIds,
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
    stop: { maxTokens, minTokens: 0, strings: [], tokenIds: [], ignoreEos: false, includeStopString: false },
    logprobs: null,
    promptLogprobs: null,
    edits: [],
    positionContext: {
      promptLength: promptTokenIds.length,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array(promptTokenIds.length),
      specialTokenIds: new Set(),
    },
    deadline: null,
    signal: null,
    ...more,
  };
}
