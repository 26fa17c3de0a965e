import { z } from '@hono/zod-openapi';
import { mostTopLogits } from '../../engine/core/index.ts';
import { inlineVectorSchema, steeringBlockSchema, steeringSchema } from '../http/steering-schema.ts';
import { chosenPositionsSchema } from './chosen-positions.ts';
import { chosenTokensSchema } from './chosen-tokens.ts';
import { readingInputFields, readTokenSchema } from './reading-input-schemas.ts';

const through = z
  .strictObject({
    feature: z.string().min(1).optional().openapi({ description: 'A feature. Exactly one of `feature` and `vector`.' }),
    vector: z
      .union([z.string().min(1), inlineVectorSchema])
      .optional()
      .openapi({ description: 'A saved vector, `name` or `name:version`, or the direction itself.' }),
    coefficient: z.number().optional().openapi({
      description:
        'How much of it is written at every position, in raw units. Default: what the stream holds of it there: a feature’s activation, a vector’s part along its unit direction.',
    }),
  })
  .openapi('LogitsThrough');

export const logitsRequestSchema = z
  .looseObject({
    model: z.string().min(1).optional().openapi({ description: 'Default: the first model.' }),
    ...readingInputFields,
    positions: chosenPositionsSchema.default('last'),
    top: z.int().min(0).max(mostTopLogits).default(10).openapi({ description: 'Likeliest tokens at each position.' }),
    tokens: chosenTokensSchema.default([]),
    lens: z
      .strictObject({
        hook_points: z.array(z.string().min(1)).min(1).max(512).optional().openapi({
          description: 'Places of the stream. Default: after each block.',
        }),
      })
      .optional()
      .openapi({
        description:
          'The logit lens: the stream at these places through the final norm and the unembedding, as if no block came after it.',
      }),
    through: z.array(through).min(1).max(64).optional().openapi({
      description: 'Directions whose own part in the logits is told, the final norm’s division taken as it is there.',
    }),
    steering: steeringSchema.nullish(),
  })
  .openapi('LogitsRequest', { example: { text: 'The capital of France is', top: 5, tokens: [' Paris'], lens: {} } });

export type LogitsBody = z.infer<typeof logitsRequestSchema>;

const tokenLogitSchema = z
  .object({ id: z.int(), token: z.string(), logit: z.number(), probability: z.number() })
  .openapi('TokenLogit');

export const positionLogitsSchema = z
  .object({
    position: z.int(),
    log_sum_exp: z.number().openapi({ description: 'Over the whole vocabulary: logit − it is the log-probability.' }),
    top: z.array(tokenLogitSchema),
    tokens: z.array(tokenLogitSchema).openapi({ description: 'The tokens asked for, in their order.' }),
  })
  .openapi('PositionLogits');

const effectSchema = z.object({ id: z.int(), token: z.string(), effect: z.number() });

const throughSchema = z
  .object({
    target: z.string(),
    hook_point: z.string(),
    mean: z.number().openapi({ description: 'Of the effects of all tokens. Taking it off changes no probability.' }),
    top: z.array(effectSchema).openapi({
      description:
        'Largest effects of one unit of it: direction · gain of the final norm · unembedding. At a position it writes effect · coefficient / scale.',
    }),
    bottom: z.array(effectSchema),
    tokens: z.array(effectSchema),
    positions: z.array(
      z.object({
        position: z.int(),
        coefficient: z.number(),
        scale: z.number().openapi({ description: 'What the final norm divides by there.' }),
        logits: z.array(z.number()).openapi({ description: 'What it writes to each of `tokens` there.' }),
      }),
    ),
  })
  .openapi('LogitsOfDirection');

export const logitsAnswerSchema = z
  .object({
    model: z.string(),
    inputs: z.array(
      z.object({
        tokens: z.array(readTokenSchema).readonly(),
        positions: z.array(positionLogitsSchema),
        lens: z
          .array(z.object({ hook_point: z.string(), positions: z.array(positionLogitsSchema) }))
          .optional()
          .openapi({ description: 'In the order asked for.' }),
        through: z.array(throughSchema).optional(),
      }),
    ),
    steering: steeringBlockSchema.optional(),
    warnings: z.array(z.object({ param: z.string(), message: z.string() })).optional(),
  })
  .openapi('LogitsResponse');

export type LogitsAnswer = z.infer<typeof logitsAnswerSchema>;
