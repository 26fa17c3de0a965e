import { randomInt } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { type SamplingParameters, type StopRules, TillerError } from '../../engine/core/index.ts';
import type { ModelService, Services } from '../services.ts';
import type { ReadingInput } from './reading-inputs.ts';

const defaultMaxTokens = 64;
/** Most stop strings a request may name. */
const mostStopStrings = 16;

/** How a reply that is read is generated. */
export const readingGenerationSchema = z
  .strictObject({
    max_tokens: z.int().min(1).default(defaultMaxTokens),
    temperature: z.number().min(0).max(2).default(0).openapi({ description: '0 is greedy.' }),
    top_p: z.number().gt(0).max(1).default(1),
    top_k: z.int().min(0).default(0).openapi({ description: '0 switches it off.' }),
    min_p: z.number().min(0).max(1).default(0),
    repetition_penalty: z.number().gt(0).max(10).default(1),
    seed: z.int().optional().openapi({
      description: 'Input i is sampled with seed + i. Drawn at random where absent; the answer says which it was.',
    }),
    stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(mostStopStrings)]).optional(),
    ignore_eos: z.boolean().default(false),
  })
  .openapi('ReadGeneration');

export type ReadingGeneration = z.infer<typeof readingGenerationSchema>;

/** How the reply to each input is made. */
export interface ReplyRules {
  readonly sampling: SamplingParameters;
  readonly stop: StopRules;
}

/**
 * Rules for replies to all inputs; null: nothing is generated. Throws `context_length_exceeded` where an input and its reply do not
 * fit the context, `invalid_request` for replies longer than the service allows.
 */
export function toReplyRules(
  generation: ReadingGeneration | null,
  inputs: readonly ReadingInput[],
  { card }: ModelService,
  { maxReplyTokens }: Services['limits'],
): ReplyRules {
  const given = generation ?? { ...readingGenerationSchema.parse({}), max_tokens: 0 };
  const { max_tokens: maxTokens, stop = [] } = given;
  if (maxReplyTokens !== null && maxTokens > maxReplyTokens) {
    const message = `'generation.max_tokens' is ${maxTokens}; a reply here may have ${maxReplyTokens} tokens at most.`;
    throw new TillerError('invalid_request', message, { param: 'generation.max_tokens' });
  }
  const long = inputs.find(({ tokenIds }) => tokenIds.length + maxTokens > card.contextLength);
  if (long) {
    const message =
      `'${long.param}' has ${long.tokenIds.length} tokens and ${maxTokens} are to be generated; the context holds ` +
      `${card.contextLength}. Ask for at most ${card.contextLength - long.tokenIds.length}, or shorten it.`;
    throw new TillerError('context_length_exceeded', message, { param: 'generation.max_tokens' });
  }
  return {
    sampling: {
      temperature: given.temperature,
      topP: given.top_p,
      topK: given.top_k,
      minP: given.min_p,
      repetitionPenalty: given.repetition_penalty,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: new Map(),
      seed: given.seed ?? randomInt(2 ** 32),
    },
    stop: {
      maxTokens,
      minTokens: 0,
      strings: typeof stop === 'string' ? [stop] : stop,
      tokenIds: [],
      ignoreEos: given.ignore_eos,
      includeStopString: false,
    },
  };
}
