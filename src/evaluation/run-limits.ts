import { TillerError } from '../../engine/index.ts';
import type { EvaluationPrompt, EvaluationSampling, ModelCard } from '../../routes/services.ts';

/** Most texts that one request may generate, and most tokens that it may read and generate. */
export const mostTexts = 4_096;
export const mostRunTokens = 1_000_000;

/** What a request comes to. */
export interface RunEstimate {
  readonly texts: number;
  /** Read twice (to generate, to score) and generated, at most. */
  readonly tokens: number;
}

/** Throws before the work: `invalid_request` with the estimate and the limit, `context_length_exceeded` for a prompt without room for its reply. */
export function checkRuns(
  request: {
    readonly prompts: readonly EvaluationPrompt[];
    readonly seeds: readonly number[];
    readonly sampling: EvaluationSampling;
  },
  steerings: number,
  card: ModelCard,
): RunEstimate {
  const { prompts, seeds, sampling } = request;
  const { maxTokens } = sampling;
  if (sampling.temperature === 0 && seeds.length > 1) {
    const message = 'At temperature 0 every seed gives the same text: give one seed, or a temperature.';
    throw new TillerError('invalid_request', message, { param: 'seeds' });
  }
  for (const { tokenIds, param } of prompts) {
    const needed = tokenIds.length + maxTokens;
    if (needed <= card.contextLength) continue;
    const message = `${tokenIds.length} prompt tokens and ${maxTokens} to generate are ${needed}; the context holds ${card.contextLength}.`;
    throw new TillerError('context_length_exceeded', message, { param });
  }
  const each = steerings * seeds.length;
  const texts = prompts.length * each;
  const tokens = prompts.reduce((sum, { tokenIds }) => sum + 2 * (tokenIds.length + maxTokens), 0) * each;
  if (texts <= mostTexts && tokens <= mostRunTokens) return { texts, tokens };
  const message =
    `This is ${texts} texts and about ${tokens} tokens to read and generate; the limits are ${mostTexts} and ${mostRunTokens}: ` +
    'give fewer prompts, strengths or seeds, or shorter replies.';
  throw new TillerError('invalid_request', message, { param: texts > mostTexts ? 'prompts' : 'max_tokens' });
}
