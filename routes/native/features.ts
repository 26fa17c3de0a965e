import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses, featureErrors } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';
import type { FeatureDetail, Services } from '../services.ts';
import { type FeatureDetailBody, featureDetailSchema } from './feature-schemas.ts';

const getRoute = createRoute({
  method: 'get',
  path: '/api/v1/features/{model}/{source}/{index}',
  operationId: 'getFeature',
  summary: 'Everything known of one feature',
  tags: ['Features'],
  request: { params: z.object({ model: z.string(), source: z.string(), index: z.string() }) },
  responses: {
    200: { description: 'The feature.', content: { 'application/json': { schema: featureDetailSchema } } },
    ...errorResponses(featureErrors),
  },
});

/** `GET /api/v1/features/{model}/{source}/{index}`. */
export function registerFeatures(app: Router, services: Services): void {
  app.openapi(getRoute, (c) => {
    const { model, source, index } = c.req.valid('param');
    return c.json(toDetail(services.features.get(model, source, index)), 200);
  });
}

function toDetail(feature: FeatureDetail): FeatureDetailBody {
  return {
    ...{ id: feature.id, model: feature.model, source: feature.source, index: feature.index, label: feature.label },
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
