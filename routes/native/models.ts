import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import { withParam } from '../http/errors.ts';
import { mostChoices } from '../http/most-choices.ts';
import type { Router } from '../http/router.ts';
import type { Limits, ModelCard, Services } from '../services.ts';

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

const route = createRoute({
  method: 'get',
  path: '/api/v1/models',
  operationId: 'listModelCards',
  summary: 'Loaded models with their shapes and sources',
  tags: ['Models'],
  responses: {
    200: {
      description: 'One card a model.',
      content: { 'application/json': { schema: z.object({ models: z.array(modelCardSchema) }) } },
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
  request: { params: z.object({ model: z.string().openapi({ example: 'smollm2-135m-instruct' }) }) },
  responses: {
    200: { description: 'Its card.', content: { 'application/json': { schema: modelCardSchema } } },
    ...errorResponses(['model_not_found', 'profile_not_found', 'not_ready', 'draining', 'internal']),
  },
});

/** `GET /api/v1/models` and `GET /api/v1/models/{model}`. */
export function registerModelCards(app: Router, services: Services): void {
  app.openapi(route, (c) =>
    c.json({ models: services.models().map(({ card }) => toCard(card, services.limits)) }, 200),
  );
  app.openapi(getRoute, (c) => {
    try {
      return c.json(toCard(services.model(c.req.valid('param').model).model.card, services.limits), 200);
    } catch (error) {
      throw withParam(error, 'model');
    }
  });
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
