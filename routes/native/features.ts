import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';
import type { FeatureDetail, FeatureSummary, Services } from '../services.ts';
import {
  type FeatureDetailBody,
  type FeatureSummaryBody,
  featureDetailSchema,
  featureSummarySchema,
} from './feature-schemas.ts';

const defaultLimit = 10;
const maxLimit = 100;
/** A query is matched against labels of a few words; more text than this only costs time. */
const maxQueryLength = 1000;

const searchRoute = createRoute({
  method: 'get',
  path: '/api/v1/features/search',
  operationId: 'searchFeatures',
  summary: 'Features whose labels match a text',
  tags: ['Features'],
  request: {
    query: z.strictObject({
      q: z.string().min(1).max(maxQueryLength).openapi({ example: 'cats' }),
      model: z.string().min(1).optional(),
      source: z.string().min(1).optional(),
      limit: z.coerce.number().int().min(1).max(maxLimit).default(defaultLimit),
    }),
  },
  responses: {
    200: {
      description: 'Best matches first.',
      content: { 'application/json': { schema: z.object({ features: z.array(featureSummarySchema) }) } },
    },
    ...errorResponses(['invalid_request', 'model_not_found', 'source_not_found', 'not_ready', 'draining', 'internal']),
  },
});

const getRoute = createRoute({
  method: 'get',
  path: '/api/v1/features/{model}/{source}/{index}',
  operationId: 'getFeature',
  summary: 'Everything known of one feature',
  tags: ['Features'],
  request: { params: z.object({ model: z.string(), source: z.string(), index: z.string() }) },
  responses: {
    200: { description: 'The feature.', content: { 'application/json': { schema: featureDetailSchema } } },
    ...errorResponses([
      'model_not_found',
      'source_not_found',
      'feature_not_found',
      'not_ready',
      'draining',
      'internal',
    ]),
  },
});

/** `GET /api/v1/features/search` and `GET /api/v1/features/{model}/{source}/{index}`. */
export function registerFeatures(app: Router, services: Services): void {
  app.openapi(searchRoute, (c) => {
    const { q, ...filters } = c.req.valid('query');
    return c.json({ features: services.features.search({ text: q, ...filters }).map(toSummary) }, 200);
  });
  app.openapi(getRoute, (c) => {
    const { model, source, index } = c.req.valid('param');
    return c.json(toDetail(services.features.get(model, source, index)), 200);
  });
}

function toSummary(feature: FeatureSummary): FeatureSummaryBody {
  const { id, model, source, index, label, score } = feature;
  return { id, model, source, index, label, ...(score === undefined ? {} : { score }) };
}

function toDetail(feature: FeatureDetail): FeatureDetailBody {
  return {
    ...toSummary(feature),
    hook_point: feature.hookPoint,
    labels: feature.labels.map(({ text, method, author, clarity, scores }) => ({
      ...{ text, method, author, clarity },
      scores: scores.map((score) => ({ ...score })),
    })),
    statistics: feature.statistics && { ...feature.statistics, histogram: [...feature.statistics.histogram] },
    top_logits: [...feature.topLogits],
    bottom_logits: [...feature.bottomLogits],
    top_tokens: [...feature.topTokens],
    examples: feature.examples.map(({ tokens, value, values }) => ({
      tokens: [...tokens],
      value,
      values: values && [...values],
    })),
    encoder_dot_decoder: feature.encoderDotDecoder,
  };
}
