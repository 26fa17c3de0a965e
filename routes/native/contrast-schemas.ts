import { z } from '@hono/zod-openapi';
import { encodeFloat32 } from '../http/float32.ts';
import { type Contrast, type ContrastAuroc, contrastMethodNames, contrastPositions } from '../services.ts';
import { featureSummarySchema } from './feature-schemas.ts';
import { readingInputSchema } from './reading-input-schemas.ts';
import { descriptionSchema, modelSchema, nameSchema, toVector, vectorSchema } from './saved-schemas.ts';

/** Items of one class. */
export const mostItems = 4096;

const answerField = z.string().min(1).optional().openapi({
  description:
    "For positions 'answer': the answer as it stands in the text, or in the last message. Default: the end of the assistant's message.",
});
const topicField = z.string().min(1).max(200).optional().openapi({
  description: 'Items of one topic are held out together. All items have one, or none.',
});

const pairItemSchema = z.union([z.string().min(1), readingInputSchema.extend({ answer: answerField })]).openapi({
  description: 'A text, or one of text, messages, token_ids.',
});
const itemSchema = z
  .union([z.string().min(1), readingInputSchema.extend({ answer: answerField, topic: topicField })])
  .openapi({ description: 'A text, or one of text, messages, token_ids, with a topic where there are any.' });
export type ContrastItemBody = z.infer<typeof pairItemSchema>;

export const contrastPairSchema = z.strictObject({
  positive: pairItemSchema,
  negative: pairItemSchema,
  topic: topicField,
});

export const contrastRequestSchema = z
  .strictObject({
    model: modelSchema.optional(),
    pairs: z
      .array(contrastPairSchema)
      .min(1)
      .max(mostItems)
      .optional()
      .openapi({ description: 'Two texts each that differ in what is looked for.' }),
    positive: z.array(itemSchema).max(mostItems).optional().openapi({
      description: 'Instead of pairs: texts of one kind. The classes need not be of one size.',
    }),
    negative: z.array(itemSchema).max(mostItems).optional().openapi({ description: 'Texts of the other kind.' }),
    method: z.enum(contrastMethodNames).default('difference_of_means').openapi({
      description: 'How the vector is made; the paired ones need pairs.',
    }),
    hook_points: z
      .array(z.string().min(1))
      .min(1)
      .max(128)
      .optional()
      .openapi({
        description:
          'Where to look; of several the one with the best held-out AUROC is taken. Default: the stream after each block of the middle half.',
        example: ['blocks.14.hook_resid_post', 'blocks.17.hook_resid_post'],
      }),
    positions: z.enum(contrastPositions).default('mean').openapi({
      description:
        "Which tokens are read: the last one; the mean over the text (of a conversation: its last message); all of these, each a sample; the answer's.",
    }),
    folds: z.int().min(2).max(20).default(5).openapi({ description: 'Parts that are held out in turn.' }),
    features: z
      .strictObject({
        sources: z.array(z.string().min(1)).max(16).optional().openapi({
          description: 'Sources whose features are compared. Default: all of the model; none where empty.',
        }),
        by: z.enum(['auroc', 'difference']).default('auroc'),
        limit: z.int().min(1).max(200).default(20).openapi({ description: 'Features of each source.' }),
      })
      .optional(),
    nearest: z
      .int()
      .min(0)
      .max(100)
      .default(10)
      .openapi({ description: 'How many features nearest to the vector to name.' }),
    include_vector: z.boolean().default(true).openapi({ description: 'Whether the answer has the vector itself.' }),
    save_as: z
      .strictObject({ name: nameSchema, description: descriptionSchema })
      .optional()
      .openapi({ description: 'Saves the vector as the next version of this name.' }),
  })
  .openapi('ContrastRequest', {
    example: {
      pairs: [
        { positive: 'I regret to inform you of the delay.', negative: "sorry, it's late", topic: 'work' },
        { positive: 'May I offer you a cup of tea?', negative: 'want some tea?', topic: 'food' },
        { positive: 'The museum is closed today.', negative: "museum's shut today", topic: 'travel' },
        { positive: 'Kindly lower your voice.', negative: 'keep it down, dude', topic: 'home' },
      ],
      hook_points: ['blocks.14.hook_resid_post', 'blocks.17.hook_resid_post'],
      folds: 2,
      save_as: { name: 'formal' },
    },
  });

const aurocSchema = z
  .object({ auroc: z.number(), low: z.number(), high: z.number() })
  .openapi('ContrastAuroc', { description: 'Area under the ROC curve with its 95 % interval (DeLong).' });

const heldOutFields = {
  held_out: aurocSchema.openapi({ description: 'On folds that the direction has not seen.' }),
  effect_size: z.number().openapi({ description: 'Held-out means apart, in standard deviations within the classes.' }),
};

const vectorAnswerSchema = z.object({
  hook_point: z.string(),
  data: z.string().nullable().openapi({
    description:
      "Base64 of little-endian float32, in the stream's own units: added once it takes the negative class's mean to the positive one's, as far as it goes along it.",
  }),
  norm: z.number(),
  relative_norm: z.number().nullable().openapi({
    description: 'Its length in median norms of the stream there (`stream_norm`); null where those are not measured.',
  }),
  ...heldOutFields,
  held_out_with_choice: aurocSchema.nullable().openapi({
    description:
      'The same of choosing the hook point too: each fold at the place that is best on the other folds. Null where there was one place only, and for two folds.',
  }),
  probe: z
    .object({ positive_mean: z.number(), negative_mean: z.number(), deviation: z.number() })
    .openapi({ description: 'Projections on its unit direction, and their standard deviation within the classes.' }),
  nearest_features: z.array(
    featureSummarySchema.omit({ score: true }).extend({ hook_point: z.string(), cosine: z.number() }),
  ),
  saved: vectorSchema.nullable(),
});

const featureSchema = featureSummarySchema.omit({ score: true }).extend({
  sign: z.enum(['positive', 'negative']).openapi({ description: 'In which class it is stronger.' }),
  positive_mean: z.number().openapi({ description: 'Over all items of the class, those where it is silent too.' }),
  negative_mean: z.number(),
  difference: z.number(),
  positive_items: z.int().openapi({ description: 'Items on which it is active.' }),
  negative_items: z.int(),
  auroc: z
    .number()
    .openapi({ description: 'On held-out folds, its sign taken from the others; below 0.5 that sign did not hold.' }),
});

export const contrastResponseSchema = z
  .object({
    model: z.string(),
    method: z.enum(contrastMethodNames),
    positions: z.enum(contrastPositions),
    items: z.object({ positive: z.int(), negative: z.int(), topics: z.int() }),
    tokens: z.int(),
    folds: z.int(),
    bag_of_words: aurocSchema.openapi({
      description: 'What a logistic regression over which tokens stand in a text reaches on the same folds.',
    }),
    vector: vectorAnswerSchema,
    hook_points: z.array(z.object({ hook_point: z.string(), ...heldOutFields })),
    sources: z.array(
      z.object({
        source: z.string(),
        hook_point: z.string(),
        truncated_tokens: z
          .int()
          .openapi({ description: 'Tokens on which the weakest of very many activations were left out.' }),
        features: z.array(featureSchema),
      }),
    ),
  })
  .openapi('ContrastResponse');

type Body = z.infer<typeof contrastResponseSchema>;

/** A contrast as it goes over the wire. */
export function toContrastBody(
  contrast: Contrast,
  { includeVector, ...asked }: Pick<Body, 'model' | 'method' | 'positions'> & { readonly includeVector: boolean },
): Body {
  const { vector, hookPoints, sources, bagOfWords, items, tokens, folds } = contrast;
  const { probe, saved } = vector;
  return {
    ...asked,
    items: { ...items },
    tokens,
    folds,
    bag_of_words: toAuroc(bagOfWords),
    vector: {
      hook_point: vector.hookPoint,
      data: includeVector ? encodeFloat32(vector.values) : null,
      norm: vector.norm,
      relative_norm: vector.relativeNorm,
      held_out: toAuroc(vector.heldOut),
      effect_size: vector.effectSize,
      held_out_with_choice: vector.heldOutWithChoice && toAuroc(vector.heldOutWithChoice),
      probe: { positive_mean: probe.positiveMean, negative_mean: probe.negativeMean, deviation: probe.deviation },
      nearest_features: vector.nearest.map(({ hookPoint, cosine, id, model, source, index, label }) => {
        return { id, model, source, index, label, hook_point: hookPoint, cosine };
      }),
      saved: saved && toVector(saved),
    },
    hook_points: hookPoints.map(({ hookPoint, heldOut, effectSize }) => ({
      hook_point: hookPoint,
      held_out: toAuroc(heldOut),
      effect_size: effectSize,
    })),
    sources: sources.map(({ id, hookPoint, truncatedTokens, features }) => ({
      source: id,
      hook_point: hookPoint,
      truncated_tokens: truncatedTokens,
      features: features.map((feature) => ({
        id: feature.id,
        model: feature.model,
        source: feature.source,
        index: feature.index,
        label: feature.label,
        sign: feature.difference >= 0 ? 'positive' : 'negative',
        positive_mean: feature.positiveMean,
        negative_mean: feature.negativeMean,
        difference: feature.difference,
        positive_items: feature.positiveItems,
        negative_items: feature.negativeItems,
        auroc: feature.auroc,
      })),
    })),
  };
}

function toAuroc({ auroc, low, high }: ContrastAuroc): z.infer<typeof aurocSchema> {
  return { auroc, low, high };
}
