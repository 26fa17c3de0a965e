import { z } from '@hono/zod-openapi';
import { steeringBlockSchema, steeringSchema } from '../http/steering-schema.ts';
import { mostInputs, readingInputFields, readTokenSchema } from './reading-input-schemas.ts';

const firstCounted = z.int().min(1);

export const logProbabilityRequestSchema = z
  .looseObject({
    model: z.string().min(1).optional().openapi({ description: 'Default: the first model.' }),
    ...readingInputFields,
    count_from: z
      .union([firstCounted, z.array(firstCounted).min(1).max(mostInputs)])
      .default(1)
      .openapi({
        description:
          'Position of the first token that counts for sums: where a continuation begins. One for all inputs, or one for each. The first token of a text is never counted: nothing predicts it.',
      }),
    top: z.int().min(0).max(20).default(0).openapi({ description: 'Likeliest tokens to tell beside each.' }),
    steering: steeringSchema.nullish(),
    compare: z.boolean().default(true).openapi({
      description:
        'With steering: tell the same without it, and KL(steered ‖ unsteered) of each prediction over the whole vocabulary. The text is then read twice.',
    }),
  })
  .openapi('LogProbabilitiesRequest', {
    example: { inputs: [{ text: 'The capital of France is Paris.' }], count_from: 5 },
  });

const likely = z.object({ id: z.int(), token: z.string(), logprob: z.number() });

const scoredTokenSchema = readTokenSchema
  .extend({
    logprob: z.number().nullable().openapi({ description: 'Nats; null for the first token, which nothing predicts.' }),
    rank: z.int().nullable().openapi({ description: 'How many tokens were likelier; 0: it was the likeliest.' }),
    top: z.array(likely).optional(),
    unsteered_logprob: z.number().nullable().optional(),
    kl: z
      .number()
      .nullable()
      .optional()
      .openapi({ description: 'KL(steered ‖ unsteered) of the prediction of this token, in nats.' }),
  })
  .openapi('ScoredToken');

const scoreSchema = z
  .object({
    sum: z.number().openapi({ description: 'Of the log-probabilities of the tokens that count.' }),
    mean: z.number(),
    perplexity: z.number().openapi({ description: 'exp(−mean).' }),
    greedy: z.boolean().openapi({ description: 'Each of them was the likeliest.' }),
  })
  .openapi('TextScore');

export const logProbabilityAnswerSchema = z
  .object({
    model: z.string(),
    inputs: z.array(
      scoreSchema.extend({
        tokens: z.array(scoredTokenSchema),
        counted: z.int().openapi({ description: 'Tokens that count.' }),
        unsteered: scoreSchema.optional(),
        kl: z
          .object({ mean: z.number(), max: z.number() })
          .optional()
          .openapi({ description: 'Over the predictions of the tokens that count.' }),
      }),
    ),
    steering: steeringBlockSchema.optional(),
    warnings: z.array(z.object({ param: z.string(), message: z.string() })).optional(),
  })
  .openapi('LogProbabilitiesResponse');

export type LogProbabilityBody = z.infer<typeof logProbabilityRequestSchema>;
export type LogProbabilityAnswer = z.infer<typeof logProbabilityAnswerSchema>;
export type ScoredInput = LogProbabilityAnswer['inputs'][number];
