import { z } from '@hono/zod-openapi';

export const featureSummarySchema = z
  .object({
    id: z.string().openapi({ example: 'smollm2-135m-instruct/17-res-4k/1234' }),
    model: z.string(),
    source: z.string(),
    index: z.int(),
    label: z.string().nullable(),
    score: z.number().optional().openapi({ description: 'Higher is a better match; only within one search.' }),
  })
  .openapi('FeatureSummary');

export const featureDetailSchema = featureSummarySchema
  .extend({
    hook_point: z.string(),
    labels: z.array(
      z.object({
        text: z.string(),
        method: z.string(),
        author: z.string(),
        clarity: z.number().nullable(),
        scores: z
          .array(
            z.object({
              method: z.string(),
              author: z.string(),
              score: z.number(),
              judgements: z.int().nullable(),
            }),
          )
          .openapi({ description: 'How well it tells where the feature fires; the higher the better.' }),
      }),
    ),
    statistics: z
      .object({
        density: z.number(),
        max: z.number(),
        p999: z.number().openapi({ description: 'What the unit `max_activation` is.' }),
        mean: z.number(),
        histogram: z.array(z.number()),
        version: z.string(),
      })
      .nullable(),
    top_logits: z.array(z.string()),
    bottom_logits: z.array(z.string()),
    top_tokens: z.array(z.string()),
    examples: z.array(
      z.object({
        tokens: z.array(z.string()),
        value: z.number().openapi({ description: 'At its strongest token.' }),
        values: z.array(z.number()).nullable().openapi({ description: 'On each token, where they are known.' }),
      }),
    ),
    encoder_dot_decoder: z.number().nullable().openapi({
      description:
        'What one unit of write adds to the reading; null where a feature does not read what it writes (transcoders).',
    }),
  })
  .openapi('Feature');

export type FeatureDetailBody = z.infer<typeof featureDetailSchema>;
