import type { Engine, GenerateRequest, LoadedModel } from '../../engine/index.ts';
import { type TextsOptions, textSequences } from '../reading-texts.ts';

export interface AnswerOptions extends TextsOptions {
  readonly answerTokens: number;
  readonly signal: AbortSignal | null;
}

/** Prompts of a file with what the model itself answers to them, the likeliest token each time: the same answers every time. */
export async function* answeredSequences(
  engine: Engine,
  model: Pick<LoadedModel, 'encoder' | 'chatTemplate' | 'executor'>,
  options: AnswerOptions,
): AsyncGenerator<Int32Array> {
  let count = 0;
  const tokens = Math.max(1, Math.min(options.tokens, model.executor.context) - options.answerTokens);
  for await (const prompt of textSequences(model, { ...options, tokens, answer: true })) {
    const answer: number[] = [];
    for await (const event of engine.submit(request(`stats-answer-${count++}`, prompt, options))) {
      if (event.type === 'token') answer.push(event.tokenId);
    }
    yield Int32Array.of(...prompt, ...answer);
  }
}

function request(id: string, promptTokenIds: Int32Array, { answerTokens, signal }: AnswerOptions): GenerateRequest {
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
    stop: {
      maxTokens: answerTokens,
      minTokens: 0,
      strings: [],
      tokenIds: [],
      ignoreEos: false,
      includeStopString: false,
    },
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
    signal,
  };
}
