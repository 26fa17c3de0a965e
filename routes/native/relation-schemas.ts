import { z } from '@hono/zod-openapi';
import {
  type NeighbourAnswer,
  neighbourMeasures,
  type RelatedFeature,
  type SourceComparison,
  type TokenWeight,
} from '../relations-port.ts';
import type { FeatureSummary } from '../services.ts';
import { featureSummarySchema } from './feature-schemas.ts';

export const featureId = z.string().min(1).max(300).openapi({ example: 'smollm2-135m-instruct/17-res-4k/837' });
export const sourceNames = z.array(z.string().min(1).max(300)).min(1).max(64);
export const listLimit = z.int().min(1).max(1000);

const relatedSchema = featureSummarySchema
  .omit({ score: true })
  .extend({
    hook_point: z.string(),
    value: z.number().openapi({ description: 'Cosine, or weight.' }),
    effective_threshold: z.number().nullable().openapi({
      description:
        'What x·encoder has to exceed for it to fire, its bias taken off; null where that alone does not say it.',
    }),
  })
  .openapi('RelatedFeature');

const tokenSchema = z.object({ token_id: z.int(), token: z.string(), value: z.number() }).openapi('TokenWeight');

const neighbourSchema = relatedSchema
  .extend({
    cofiring: z
      .object({ fired: z.int(), together: z.int() })
      .nullable()
      .openapi({ description: 'By co-firing: tokens on which it fires, and on which both do. Else null.' }),
  })
  .openapi('NeighborFeature');

export const neighboursSchema = z.object({
  feature: featureSummarySchema,
  by: z.enum(neighbourMeasures),
  neighbors: z.array(neighbourSchema),
  sources: z.array(z.string()).openapi({ description: 'Looked through, every feature of them.' }),
  compared: z.int().openapi({ description: 'Features; by label: labels.' }),
  not_embedded: z
    .int()
    .nullable()
    .openapi({ description: 'By label: labels that are not embedded yet and were not compared. Else null.' }),
  counted: z
    .object({
      tokens: z.int(),
      fired: z.int().openapi({ description: 'Tokens on which the feature itself fires.' }),
      version: z.string().nullable().openapi({ description: 'Of the kept statistics; null: on the texts given.' }),
    })
    .nullable()
    .openapi({ description: 'By co-firing: over what it was counted. Else null.' }),
});

export const logitsSchema = z.object({
  feature: featureSummarySchema,
  top: z.array(tokenSchema),
  bottom: z.array(tokenSchema),
});

export const weightsSchema = z.object({
  feature: featureSummarySchema,
  hook_point: z.string(),
  readers: z.array(
    z.object({
      source: z.string(),
      hook_point: z.string(),
      raised: z.array(relatedSchema),
      lowered: z.array(relatedSchema),
    }),
  ),
  logits: z.array(tokenSchema).nullable(),
});

const reportSchema = z
  .object({
    mean_similarity: z.number(),
    median_similarity: z.number(),
    found: z.array(z.object({ threshold: z.number(), pairs: z.int(), share_of_a: z.number(), share_of_b: z.number() })),
  })
  .openapi('MatchingReport');
const splitSchema = z.object({
  count: z.int(),
  best: z.array(z.object({ feature: z.int(), parts: z.array(z.object({ feature: z.int(), similarity: z.number() })) })),
});
const absorbedSchema = z.object({
  count: z.int(),
  best: z.array(
    z.object({
      feature: z.int(),
      into: z.int(),
      similarity: z.number(),
      paired_with: z.int(),
      pair_similarity: z.number(),
    }),
  ),
});

export const comparisonSchema = z
  .object({
    a: z.string(),
    b: z.string(),
    by: z.enum(['decoder', 'activation']),
    features_of_a: z.int(),
    features_of_b: z.int(),
    compared_of_a: z.int().openapi({
      description: 'All, or by activation those that fire on enough tokens. Shares are shares of these.',
    }),
    compared_of_b: z.int(),
    tokens: z.int().nullable().openapi({ description: 'By activation: over how many tokens. Else null.' }),
    stability: z.number().openapi({ description: 'Mean similarity of the optimal matching.' }),
    greedy: reportSchema,
    optimal: reportSchema,
    pairs: z
      .array(z.object({ a: z.int(), b: z.int(), similarity: z.number() }))
      .openapi({ description: 'Of the optimal matching, best first.' }),
    split_in_b: splitSchema,
    split_in_a: splitSchema,
    absorbed_in_b: absorbedSchema,
    absorbed_in_a: absorbedSchema,
  })
  .openapi('SourceComparison');

export function toFeature({ id, model, source, index, label }: FeatureSummary) {
  return { id, model, source, index, label };
}

export function toRelated(feature: RelatedFeature): z.infer<typeof relatedSchema> {
  const { hookPoint, value, effectiveThreshold } = feature;
  return { ...toFeature(feature), hook_point: hookPoint, value, effective_threshold: effectiveThreshold };
}

export function toNeighbours(
  by: z.infer<typeof neighboursSchema>['by'],
  { feature, neighbours, sources, compared, notEmbedded, counted }: NeighbourAnswer,
): z.infer<typeof neighboursSchema> {
  return {
    feature: toFeature(feature),
    by,
    neighbors: neighbours.map((each) => ({ ...toRelated(each), cofiring: each.cofiring && { ...each.cofiring } })),
    sources: [...sources],
    compared,
    not_embedded: notEmbedded,
    counted: counted && { ...counted },
  };
}

export function toToken({ tokenId, token, value }: TokenWeight): z.infer<typeof tokenSchema> {
  return { token_id: tokenId, token, value };
}

export function toComparison(
  a: string,
  b: string,
  comparison: SourceComparison,
  pairs: number,
): z.infer<typeof comparisonSchema> {
  const { greedy, optimal, splitInB, splitInA, absorbedInB, absorbedInA } = comparison;
  return {
    a,
    b,
    by: comparison.by,
    features_of_a: comparison.featuresOfA,
    features_of_b: comparison.featuresOfB,
    compared_of_a: comparison.comparedOfA,
    compared_of_b: comparison.comparedOfB,
    tokens: comparison.tokens,
    stability: comparison.stability,
    greedy: toReport(greedy),
    optimal: toReport(optimal),
    pairs: comparison.pairs.slice(0, pairs).map((pair) => ({ ...pair })),
    split_in_b: toSplit(splitInB),
    split_in_a: toSplit(splitInA),
    absorbed_in_b: toAbsorbed(absorbedInB),
    absorbed_in_a: toAbsorbed(absorbedInA),
  };
}

function toReport({
  meanSimilarity,
  medianSimilarity,
  found,
}: SourceComparison['greedy']): z.infer<typeof reportSchema> {
  return {
    mean_similarity: meanSimilarity,
    median_similarity: medianSimilarity,
    found: found.map(({ threshold, pairs, shareOfA, shareOfB }) => ({
      threshold,
      pairs,
      share_of_a: shareOfA,
      share_of_b: shareOfB,
    })),
  };
}

function toSplit({ count, best }: SourceComparison['splitInA']): z.infer<typeof splitSchema> {
  return { count, best: best.map(({ feature, parts }) => ({ feature, parts: parts.map((part) => ({ ...part })) })) };
}

function toAbsorbed({ count, best }: SourceComparison['absorbedInA']): z.infer<typeof absorbedSchema> {
  return {
    count,
    best: best.map(({ feature, into, similarity, pairedWith, pairSimilarity }) => ({
      ...{ feature, into, similarity },
      paired_with: pairedWith,
      pair_similarity: pairSimilarity,
    })),
  };
}
