import { type Engine, greedyRequest, type LoadedModel } from '../../engine/index.ts';
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
    const { answerTokens, signal } = options;
    for await (const event of engine.submit(
      greedyRequest(`stats-answer-${count++}`, prompt, answerTokens, { signal }),
    )) {
      if (event.type === 'token') answer.push(event.tokenId);
    }
    yield Int32Array.of(...prompt, ...answer);
  }
}
