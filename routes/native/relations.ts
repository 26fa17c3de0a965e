import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';
import {
  featureId,
  listLimit,
  logitsSchema,
  neighboursSchema,
  sourceNames,
  toFeature,
  toRelated,
  toToken,
  weightsSchema,
} from './relation-schemas.ts';

const defaultLimit = 10;
const by = z.enum(['decoder', 'encoder']).default('decoder').openapi({
  description: 'Whose cosines: what features write, or what they read.',
});
const limitParameter = z.coerce.number().int().min(1).max(1000).default(defaultLimit);
const neighbourErrors = [
  'model_not_found',
  'source_not_found',
  'feature_not_found',
  'queue_full',
  'cancelled',
] as const;
const ok = <T extends z.ZodType>(description: string, schema: T) => ({
  200: { description, content: { 'application/json': { schema } } },
});

const neighboursRequest = z
  .looseObject({
    feature: featureId,
    by,
    sources: sourceNames.nullish().openapi({ description: 'Default: every source whose vectors have that width.' }),
    limit: listLimit.default(defaultLimit),
  })
  .openapi('NeighborsRequest');

const getNeighbours = createRoute({
  method: 'get',
  path: '/api/v1/features/neighbors',
  operationId: 'getNeighbors',
  summary: 'Features whose vectors point the same way',
  tags: ['Features'],
  request: {
    query: z.strictObject({
      feature: featureId,
      by,
      source: z.string().min(1).optional().openapi({ description: 'One source; default: all of that width.' }),
      limit: limitParameter,
    }),
  },
  responses: {
    ...ok('Largest cosine first.', neighboursSchema),
    ...errorResponses(['invalid_request', ...neighbourErrors, 'not_ready', 'draining', 'internal']),
  },
});

const postNeighbours = createRoute({
  method: 'post',
  path: '/api/v1/features/neighbors',
  operationId: 'postNeighbors',
  summary: 'Features whose vectors point the same way, in chosen sources',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: neighboursRequest } } } },
  responses: {
    ...ok('Largest cosine first.', neighboursSchema),
    ...errorResponses([...bodyErrors, ...neighbourErrors]),
  },
});

const logits = createRoute({
  method: 'get',
  path: '/api/v1/features/{model}/{source}/{index}/logits',
  operationId: 'getFeatureLogits',
  summary:
    'Tokens that a feature makes likelier and less likely: its decoder vector through final norm gain and unembedding',
  tags: ['Features'],
  request: {
    params: z.object({ model: z.string(), source: z.string(), index: z.string() }),
    query: z.strictObject({ limit: limitParameter }),
  },
  responses: {
    ...ok('The mean over all tokens is taken off.', logitsSchema),
    ...errorResponses([
      'invalid_request',
      ...neighbourErrors,
      'edit_not_applicable',
      'not_ready',
      'draining',
      'internal',
    ]),
  },
});

const weightsRequest = z
  .looseObject({
    feature: featureId,
    sources: sourceNames.nullish().openapi({
      description: 'Sources that read what it writes. Default: every one that reads later in the stream.',
    }),
    tokens: z
      .array(z.union([z.string().min(1).max(300), z.int().nonnegative()]))
      .min(1)
      .max(256)
      .nullish()
      .openapi({ description: 'Ids, or texts of one token each: what it adds to their logits.' }),
    limit: listLimit.default(defaultLimit),
  })
  .openapi('VirtualWeightsRequest');

const weights = createRoute({
  method: 'post',
  path: '/api/v1/features/virtual-weights',
  operationId: 'virtualWeights',
  summary: 'What a unit of a feature adds to what later features read, and to logits, along the stream alone',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: weightsRequest } } } },
  responses: {
    ...ok('By source, largest and smallest weights.', weightsSchema),
    ...errorResponses([...bodyErrors, ...neighbourErrors, 'edit_not_applicable']),
  },
});

/** Neighbours, logit lens and virtual weights of a feature. */
export function registerRelations(app: Router, services: Services): void {
  const neighbours = async (query: z.infer<typeof neighboursRequest>, signal: AbortSignal) => {
    const { feature, sources = null, limit } = query;
    const found = await services.relations.neighbours({ feature, by: query.by, sources, limit }, signal);
    return {
      feature: toFeature(found.feature),
      by: query.by,
      neighbors: found.neighbours.map(toRelated),
      sources: [...found.sources],
      compared: found.compared,
    };
  };
  app.openapi(getNeighbours, async (c) => {
    const { source, ...query } = c.req.valid('query');
    const sources = source === undefined ? null : [source];
    return c.json(await neighbours({ ...query, sources }, c.req.raw.signal), 200);
  });
  app.use(postNeighbours.path, onPost(jsonBody(neighboursRequest, services)));
  app.openapi(
    postNeighbours,
    async (c) => c.json(await neighbours(c.req.valid('json'), c.req.raw.signal), 200),
    bodyHook(neighboursRequest),
  );
  app.openapi(logits, async (c) => {
    const { model, source, index } = c.req.valid('param');
    const { limit } = c.req.valid('query');
    const found = await services.relations.logits(`${model}/${source}/${index}`, limit, c.req.raw.signal);
    const { feature, top, bottom } = found;
    return c.json({ feature: toFeature(feature), top: top.map(toToken), bottom: bottom.map(toToken) }, 200);
  });
  app.use(weights.path, jsonBody(weightsRequest, services));
  app.openapi(
    weights,
    async (c) => {
      const { feature, sources = null, tokens = null, limit } = c.req.valid('json');
      const found = await services.relations.virtualWeights({ feature, sources, tokens, limit }, c.req.raw.signal);
      const readers = found.readers.map(({ source, hookPoint, raised, lowered }) => ({
        source,
        hook_point: hookPoint,
        raised: raised.map(toRelated),
        lowered: lowered.map(toRelated),
      }));
      const summary = { feature: toFeature(found.feature), hook_point: found.hookPoint };
      return c.json({ ...summary, readers, logits: found.logits?.map(toToken) ?? null }, 200);
    },
    bodyHook(weightsRequest),
  );
}

/** Middleware for a path that is read with other methods too. */
function onPost(handler: ReturnType<typeof jsonBody>): ReturnType<typeof jsonBody> {
  return (c, next) => (c.req.method === 'POST' ? handler(c, next) : next());
}
