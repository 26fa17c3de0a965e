import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import { withParam } from '../http/errors.ts';
import { mostChoices } from '../http/most-choices.ts';
import type { Router } from '../http/router.ts';
import { type Limits, type ListedModel, type ModelCard, modelStates, type Services } from '../services.ts';

const modelCardSchema = z
  .object({
    id: z.string(),
    created: z.int().openapi({ description: 'Unix seconds.' }),
    context_length: z.int(),
    d_model: z.int(),
    blocks: z.int(),
    precision: z.string(),
    operators: z.string().openapi({
      description:
        'Whose operators compute attention, norms and edits: `tiller`, or `onnxruntime` where those could not be compiled.',
    }),
    hash: z.string().openapi({ description: 'Of the weights.' }),
    sources: z.array(z.string()).openapi({ description: 'Ids of the sources loaded for it.' }),
    limits: z
      .object({
        rows: z.int().openapi({ description: 'Requests computed together.' }),
        key_value_tokens: z.int().openapi({ description: 'Tokens that all rows and the prefix cache may hold.' }),
        prefix_cache_tokens: z.int().openapi({ description: 'Of those, what the prefix cache may hold; 0: none.' }),
        queue: z.int().openapi({ description: 'Requests that may wait; more get 429.' }),
        queue_seconds: z.int().nullable().openapi({ description: 'Longest wait; then 503. Null: no limit.' }),
        edits: z.int().openapi({ description: 'Edits that a request may carry.' }),
        choices: z.int().openapi({ description: 'Choices that a request may ask for, over all its prompts.' }),
        reply_tokens: z.int().openapi({ description: 'Longest reply.' }),
        body_bytes: z.int(),
        stream_timeout_seconds: z.int().openapi({ description: 'A stream that nobody reads for so long is dropped.' }),
      })
      .openapi('ModelLimits'),
  })
  .openapi('ModelCard');

const listedSchema = z
  .object({
    id: z.string(),
    state: z.enum(modelStates),
    reason: z.string().nullable().openapi({ description: 'Why it could not be loaded.' }),
  })
  .openapi('ModelStatus');

const modelParams = z.object({ model: z.string().openapi({ example: 'smollm2-135m-instruct' }) });

const route = createRoute({
  method: 'get',
  path: '/api/v1/models',
  operationId: 'listModelCards',
  summary: 'Loaded models with their shapes and sources, and those that may be loaded',
  tags: ['Models'],
  responses: {
    200: {
      description: 'One card a loaded model.',
      content: {
        'application/json': {
          schema: z.object({ models: z.array(modelCardSchema), not_loaded: z.array(listedSchema) }),
        },
      },
    },
    ...errorResponses(['not_ready', 'draining', 'internal']),
  },
});

const getRoute = createRoute({
  method: 'get',
  path: '/api/v1/models/{model}',
  operationId: 'getModelCard',
  summary: 'One loaded model with its shape, sources and limits',
  tags: ['Models'],
  request: { params: modelParams },
  responses: {
    200: { description: 'Its card.', content: { 'application/json': { schema: modelCardSchema } } },
    ...errorResponses(['model_not_found', 'profile_not_found', 'not_ready', 'draining', 'internal']),
  },
});

const loadRoute = createRoute({
  method: 'post',
  path: '/api/v1/models/{model}/load',
  operationId: 'loadModel',
  summary: 'Load a model now; idle ones go where the memory budget needs it',
  tags: ['Models'],
  request: { params: modelParams },
  responses: {
    200: { description: 'It is loaded.', content: { 'application/json': { schema: listedSchema } } },
    ...errorResponses(['model_not_found', 'model_unavailable', 'cancelled', 'not_ready', 'draining', 'internal']),
  },
});

const unloadRoute = createRoute({
  method: 'post',
  path: '/api/v1/models/{model}/unload',
  operationId: 'unloadModel',
  summary: 'Give the memory of a model back; the next request for it loads it again',
  tags: ['Models'],
  request: { params: modelParams },
  responses: {
    200: { description: 'It is not loaded.', content: { 'application/json': { schema: listedSchema } } },
    ...errorResponses(['model_not_found', 'model_busy', 'unsupported', 'not_ready', 'draining', 'internal']),
  },
});

/** `GET /api/v1/models` and `GET /api/v1/models/{model}`; `POST` to its `/load` and `/unload`. */
export function registerModelCards(app: Router, services: Services): void {
  app.openapi(route, (c) => {
    const models = services.models();
    const cards = models.flatMap(({ service }) => (service ? [toCard(service.card, services.limits)] : []));
    return c.json({ models: cards, not_loaded: models.filter(({ service }) => service === null).map(toListed) }, 200);
  });
  app.openapi(getRoute, (c) => {
    try {
      return c.json(toCard(services.model(c.req.valid('param').model).model.card, services.limits), 200);
    } catch (error) {
      throw withParam(error, 'model');
    }
  });
  app.openapi(loadRoute, async (c) =>
    c.json(toListed(await services.loadModel(c.req.valid('param').model, c.req.raw.signal)), 200),
  );
  app.openapi(unloadRoute, async (c) => c.json(toListed(await services.unloadModel(c.req.valid('param').model)), 200));
}

function toListed({ id, state, reason }: ListedModel): z.infer<typeof listedSchema> {
  return { id, state, reason };
}

function toCard(card: ModelCard, limits: Limits): z.infer<typeof modelCardSchema> {
  return {
    id: card.id,
    created: card.createdUnixSeconds,
    context_length: card.contextLength,
    d_model: card.dModel,
    blocks: card.blocks,
    precision: card.precision,
    operators: card.operators,
    hash: card.hash,
    sources: [...card.sources],
    limits: {
      rows: card.capacity.rows,
      key_value_tokens: card.capacity.keyValueTokens,
      prefix_cache_tokens: card.capacity.prefixCacheTokens,
      queue: card.capacity.queueLimit,
      queue_seconds: card.capacity.queueSeconds,
      edits: limits.maxEdits,
      choices: mostChoices(limits, card),
      reply_tokens: limits.maxReplyTokens ?? card.contextLength,
      body_bytes: limits.bodyBytes,
      stream_timeout_seconds: limits.streamTimeoutSeconds,
    },
  };
}
