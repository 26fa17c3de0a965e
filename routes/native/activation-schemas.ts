import { z } from '@hono/zod-openapi';
import { finishReasons } from '../../engine/core/index.ts';
import { steeringBlockSchema } from '../http/steering-schema.ts';
import { inspectionRankings } from '../services.ts';
import { featureSummarySchema } from './feature-schemas.ts';
import { readTokenSchema } from './reading-input-schemas.ts';
import { readingPlanFields } from './reading-plan.ts';

/** Activations of one token that can be told: the engine's own bound. */
const mostPerToken = 4096;

export const activationsRequestSchema = z
  .strictObject({
    ...readingPlanFields,
    sources: z
      .array(z.string().min(1))
      .min(1)
      .max(16)
      .optional()
      .openapi({ description: 'Names or ids. Default: all of the model.', example: ['17-res-4k'] }),
    features: z
      .array(z.string().min(1))
      .min(1)
      .max(1024)
      .optional()
      .openapi({ description: 'Instead of whole sources: chosen features, `source/index` or `model/source/index`.' }),
    top_k_per_token: z.int().min(0).max(mostPerToken).default(10).openapi({
      description: 'Features of each source told of each token, strongest first.',
    }),
    top_k_per_text: z.int().min(0).max(mostPerToken).default(20).openapi({
      description: 'Features of each source told of each input, by `rank_by`. Chosen features are all told.',
    }),
    rank_by: z.enum(inspectionRankings).default('max').openapi({
      description:
        'max, mean (over all tokens that count, silent ones too), sum, count (tokens on which it is active), last (on the last token that counts), frequency (count over tokens that count).',
    }),
    include_sinks: z.boolean().default(false).openapi({
      description:
        'Whether attention sinks count like other tokens: a text’s first, and those whose norm is beyond the source’s `sink_norm`. A dictionary says nothing there.',
    }),
    stream: z.boolean().default(false).openapi({
      description: 'Server-sent events: one for each token with its features, as it is read.',
    }),
  })
  .openapi('ActivationsRequest', {
    example: { text: 'My cat chased the other cats.', sources: ['17-res-4k'], top_k_per_token: 3, top_k_per_text: 5 },
  });

export type ActivationsRequest = z.infer<typeof activationsRequestSchema>;

const tokenFeatureSchema = z.object({ index: z.int(), value: z.number() }).openapi('TokenFeature');

const textFeatureSchema = featureSummarySchema
  .omit({ score: true })
  .extend({
    max: z.number(),
    mean: z.number(),
    sum: z.number(),
    count: z.int(),
    last: z.number(),
    frequency: z.number(),
    position: z.int().nullable().openapi({ description: 'The token of its maximum; null where it is silent.' }),
  })
  .openapi('TextFeature');

export const sourceHeadSchema = z
  .object({
    source: z.string(),
    hook_point: z.string(),
    features: z.int().openapi({ description: 'How many it has.' }),
  })
  .openapi('ReadSource');

export const replySchema = z
  .object({
    text: z.string(),
    finish_reason: z.enum(finishReasons),
    seed: z.int(),
  })
  .openapi('ReadReply');

const sourceTextSchema = z.object({
  source: z.string(),
  counted_tokens: z.int(),
  ignored_positions: z.array(z.int()).openapi({ description: 'Attention sinks, which do not count.' }),
  truncated_positions: z.array(z.int()).openapi({
    description: 'Tokens on which more features fire than are looked at: the weakest there are left out.',
  }),
  features: z.array(textFeatureSchema).openapi({ description: 'Best first, by `rank_by`.' }),
});

const warningsSchema = z.array(z.object({ param: z.string(), message: z.string() })).optional();

export const activationsResponseSchema = z
  .object({
    model: z.string(),
    sources: z.array(sourceHeadSchema),
    inputs: z.array(
      z.object({
        prompt_tokens: z.int(),
        reply: replySchema.nullable(),
        tokens: z.array(readTokenSchema).openapi({ description: 'Of the input, then of the reply.' }),
        sources: z.array(
          sourceTextSchema.extend({
            first_position: z.int().nullable().openapi({ description: 'Position of the first entry of `tokens`.' }),
            tokens: z.array(z.array(tokenFeatureSchema)).openapi({
              description: 'Of each inspected token in order: its features, strongest first. Empty for sinks.',
            }),
          }),
        ),
      }),
    ),
    steering: steeringBlockSchema.optional(),
    warnings: warningsSchema,
  })
  .openapi('ActivationsResponse');

/** Events of a stream, in order: start, then for each input its tokens and its end, then done. */
export const activationsEventSchema = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('start'), model: z.string(), sources: z.array(sourceHeadSchema) }),
    z.object({
      type: z.literal('token'),
      input: z.int(),
      token: readTokenSchema,
      sources: z
        .array(z.object({ source: z.string(), ignored: z.boolean(), features: z.array(tokenFeatureSchema) }))
        .nullable()
        .openapi({ description: 'Null for a reply’s last token, which the model never reads.' }),
    }),
    z.object({
      type: z.literal('end'),
      input: z.int(),
      prompt_tokens: z.int(),
      reply: replySchema.nullable(),
      sources: z.array(sourceTextSchema),
    }),
    z.object({ type: z.literal('done'), steering: steeringBlockSchema.optional(), warnings: warningsSchema }),
    z.object({ type: z.literal('error'), error: z.looseObject({ code: z.string(), detail: z.string() }) }),
  ])
  .openapi('ActivationsEvent');

export type ActivationsEvent = z.infer<typeof activationsEventSchema>;
