import { createRoute, type z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { renamingParam } from '../http/errors.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';
import {
  lookupAnswerSchema,
  lookupBodySchema,
  rerankAnswerSchema,
  rerankBodySchema,
  toFound,
} from './feature-search-schemas.ts';

const lookupErrors = [...bodyErrors, 'model_not_found', 'source_not_found', 'feature_not_found', 'queue_full'] as const;

const lookupRoute = createRoute({
  method: 'post',
  path: '/api/v1/features/lookup',
  operationId: 'lookUpFeatures',
  summary: 'Several features by their ids or indices, in the order in which they are asked for',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: lookupBodySchema } } } },
  responses: {
    200: {
      description: 'Each with its clearest label, null where it has none.',
      content: { 'application/json': { schema: lookupAnswerSchema } },
    },
    ...errorResponses(lookupErrors),
  },
});

const rerankRoute = createRoute({
  method: 'post',
  path: '/api/v1/features/rerank',
  operationId: 'rerankFeatures',
  summary: 'Features ordered by how near their labels are to a text in meaning',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: rerankBodySchema } } } },
  responses: {
    200: {
      description: 'Nearest first; features without a label last.',
      content: { 'application/json': { schema: rerankAnswerSchema } },
    },
    ...errorResponses([...lookupErrors, 'model_unavailable']),
  },
});

/** `POST /api/v1/features/lookup` and `/rerank`. */
export function registerFeatureLookup(app: Router, services: Services): void {
  app.on('POST', lookupRoute.path, jsonBody(lookupBodySchema, services));
  app.openapi(
    lookupRoute,
    async (c) => {
      const body = c.req.valid('json');
      const asked = (param: string) => (body.indices === undefined ? param : nameByIndex(param));
      const found = await renamingParam(services.features.lookup(idsOf(body)), asked);
      return c.json({ features: found.map(toFound) }, 200);
    },
    bodyHook(lookupBodySchema),
  );
  app.on('POST', rerankRoute.path, jsonBody(rerankBodySchema, services));
  app.openapi(
    rerankRoute,
    async (c) => {
      const { query, features } = c.req.valid('json');
      const ranked = await services.features.rerank(query, features);
      return c.json({ features: ranked.map((one) => ({ ...toFound(one), similarity: one.similarity })) }, 200);
    },
    bodyHook(rerankBodySchema),
  );
}

/** A fault of an entry under the name that it has where indices are asked for. */
function nameByIndex(param: string): string {
  return param.replace(/^features(?=\[)/, 'indices');
}

function idsOf({ features, source, indices }: z.output<typeof lookupBodySchema>): readonly string[] {
  if (features !== undefined && source === undefined && indices === undefined) return features;
  if (features === undefined && source !== undefined && indices !== undefined) {
    return indices.map((index) => `${source}/${index}`);
  }
  const message = "Give either 'features' (ids), or 'source' and 'indices' together.";
  throw new TillerError('invalid_request', message, { param: features === undefined ? 'indices' : 'features' });
}
