import { createRoute, type z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { renamingParam } from '../http/errors.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { FeatureSearchAnswer, FeatureSearchQuery, Services } from '../services.ts';
import { searchAnswerSchema, searchBodySchema, searchParameters, toFound } from './feature-search-schemas.ts';

const errors = [...bodyErrors, 'model_not_found', 'source_not_found', 'model_unavailable', 'queue_full'] as const;
const content = { 'application/json': { schema: searchAnswerSchema } };

const getRoute = createRoute({
  method: 'get',
  path: '/api/v1/features/search',
  operationId: 'searchFeatures',
  summary: 'Features whose labels match a text, by words and by meaning',
  tags: ['Features'],
  request: { query: searchParameters },
  responses: { 200: { description: 'Best matches first.', content }, ...errorResponses(errors) },
});

const postRoute = createRoute({
  method: 'post',
  path: '/api/v1/features/search',
  operationId: 'searchFeaturesByBody',
  summary: 'The same with the query and its filters as a body',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: searchBodySchema } } } },
  responses: { 200: { description: 'Best matches first.', content }, ...errorResponses(errors) },
});

/** What a fault is called in each form. */
const parameterNames: Readonly<Record<string, string>> = { sources: 'source', layers: 'layer', methods: 'method' };
const fieldNames: Readonly<Record<string, string>> = { q: 'query' };

/** `GET` and `POST /api/v1/features/search`. */
export function registerFeatureSearch(app: Router, services: Services): void {
  app.openapi(getRoute, async (c) => {
    const query = fromParameters(c.req.valid('query'));
    return c.json(
      toAnswer(await renamingParam(services.features.search(query), (param) => parameterNames[param] ?? param)),
      200,
    );
  });
  app.on('POST', postRoute.path, jsonBody(searchBodySchema, services));
  app.openapi(
    postRoute,
    async (c) => {
      const query = fromBody(c.req.valid('json'));
      return c.json(
        toAnswer(await renamingParam(services.features.search(query), (param) => fieldNames[param] ?? param)),
        200,
      );
    },
    bodyHook(searchBodySchema),
  );
}

function fromParameters(given: z.output<typeof searchParameters>): FeatureSearchQuery {
  const { q, model, source, layer, method, min_density: min, max_density: max, mode, limit, cursor } = given;
  return {
    text: q,
    filters: {
      model: model ?? null,
      sources: parts(source),
      layers: parts(layer).map(toLayer),
      density: min === undefined && max === undefined ? null : { min: min ?? null, max: max ?? null },
      methods: parts(method),
    },
    mode: mode ?? null,
    limit,
    cursor: cursor ?? null,
  };
}

function fromBody(body: z.output<typeof searchBodySchema>): FeatureSearchQuery {
  const { query, model, sources, layers, methods, density, mode, limit, cursor } = body;
  return {
    text: query,
    filters: {
      model: model ?? null,
      sources: sources ?? [],
      layers: layers ?? [],
      density: density === undefined ? null : { min: density.min ?? null, max: density.max ?? null },
      methods: methods ?? [],
    },
    mode: mode ?? null,
    limit,
    cursor: cursor ?? null,
  };
}

function parts(listed: string | undefined): string[] {
  return (listed ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function toLayer(part: string): number {
  if (/^\d{1,5}$/.test(part)) return Number(part);
  throw new TillerError('invalid_request', `'layer' is not valid: '${part}' is no whole number.`, { param: 'layer' });
}

function toAnswer({ hits, mode, reason, embeddings, next }: FeatureSearchAnswer): z.infer<typeof searchAnswerSchema> {
  return {
    features: hits.map((hit) => ({
      ...toFound(hit),
      score: hit.score,
      lexical_rank: hit.lexicalRank,
      semantic_rank: hit.semanticRank,
      similarity: hit.similarity,
      highlights: hit.highlights.map(({ start, end }) => ({ start, end })),
    })),
    mode,
    reason,
    embeddings: { ...embeddings },
    next_cursor: next,
  };
}
