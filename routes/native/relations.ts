import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { bodyErrors, errorResponses, readingErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import { neighbourMeasures } from '../relations-port.ts';
import type { Services } from '../services.ts';
import { readingTexts } from './reading-texts.ts';
import {
  featureId,
  listLimit,
  logitsSchema,
  neighboursSchema,
  sourceNames,
  toFeature,
  toNeighbours,
  toRelated,
  toToken,
  weightsSchema,
} from './relation-schemas.ts';

const defaultLimit = 10;
/** Of all texts together, which are read while the caller waits. */
const mostTokens = 16_384;
const by = z.enum(neighbourMeasures).default('decoder').openapi({
  description:
    'Cosine of what features write (decoder) or read (encoder), of the embeddings of their labels (label), of the tokens on which they fire (cofiring).',
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
    sources: sourceNames.nullish().openapi({
      description: 'Default: every source whose features can be compared; of collected co-firing the own one alone.',
    }),
    texts: z
      .array(z.string().min(1))
      .min(1)
      .max(256)
      .nullish()
      .openapi({
        description: `Texts to count co-firing on, together at most ${mostTokens} tokens. Default: what tiller sae stats collected.`,
      }),
    limit: listLimit.default(defaultLimit),
  })
  .openapi('NeighborsRequest');

const getNeighbours = createRoute({
  method: 'get',
  path: '/api/v1/features/neighbors',
  operationId: 'getNeighbors',
  summary: 'Features that are like one: by their vectors, their labels, or where they fire',
  tags: ['Features'],
  request: {
    query: z.strictObject({
      feature: featureId,
      by,
      source: z.string().min(1).optional().openapi({ description: 'One source; default: all that can be compared.' }),
      limit: limitParameter,
    }),
  },
  responses: {
    ...ok('Largest cosine first.', neighboursSchema),
    ...errorResponses([
      'invalid_request',
      ...neighbourErrors,
      'statistics_missing',
      'not_ready',
      'draining',
      'internal',
    ]),
  },
});

const postNeighbours = createRoute({
  method: 'post',
  path: '/api/v1/features/neighbors',
  operationId: 'postNeighbors',
  summary: 'Features that are like one, in chosen sources, or on texts of the request',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: neighboursRequest } } } },
  responses: {
    ...ok('Largest cosine first.', neighboursSchema),
    ...errorResponses([...readingErrors, ...neighbourErrors, 'statistics_missing']),
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
  const neighbours = async (
    { feature, by: measure, sources = null, limit }: z.infer<typeof neighboursRequest>,
    sequences: readonly Int32Array[] | null,
    signal: AbortSignal,
  ) => {
    const query = { feature, by: measure, sources, sequences, limit };
    return toNeighbours(measure, await services.relations.neighbours(query, signal));
  };
  app.openapi(getNeighbours, async (c) => {
    const { source, ...query } = c.req.valid('query');
    const sources = source === undefined ? null : [source];
    return c.json(await neighbours({ ...query, sources }, null, c.req.raw.signal), 200);
  });
  app.use(postNeighbours.path, onPost(jsonBody(neighboursRequest, services)));
  app.openapi(
    postNeighbours,
    async (c) => {
      const query = c.req.valid('json');
      const { signal } = c.req.raw;
      const { texts = null, feature } = query;
      if (texts === null) return c.json(await neighbours(query, null, signal), 200);
      if (query.by !== 'cofiring') {
        const message = `Texts are for 'by': 'cofiring'; by ${query.by} nothing is read. Leave them out.`;
        throw new TillerError('invalid_request', message, { param: 'texts' });
      }
      const { model } = await modelsOf(c, services)(modelOfFeature(feature));
      const limits = { most: mostTokens, beyond: 'what tiller sae stats collects may be of any length' };
      return c.json(await neighbours(query, await readingTexts(model, texts, limits, signal), signal), 200);
    },
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

/** The model that a feature's id names; null for the first one. */
function modelOfFeature(feature: string): string | null {
  const parts = feature.trim().split('/');
  return parts.length === 3 ? (parts[0] ?? null) : null;
}

/** Middleware for a path that is read with other methods too. */
function onPost(handler: ReturnType<typeof jsonBody>): ReturnType<typeof jsonBody> {
  return (c, next) => (c.req.method === 'POST' ? handler(c, next) : next());
}
