import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';
import type { ModelCard, Services } from '../services.ts';

const modelCardSchema = z
  .object({
    id: z.string(),
    created: z.int().openapi({ description: 'Unix seconds.' }),
    context_length: z.int(),
    d_model: z.int(),
    blocks: z.int(),
    precision: z.string(),
    hash: z.string().openapi({ description: 'Of the weights.' }),
    sources: z.array(z.string()).openapi({ description: 'Ids of the sources loaded for it.' }),
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

/** `GET /api/v1/models`. */
export function registerModelCards(app: Router, services: Services): void {
  app.openapi(route, (c) => c.json({ models: services.models().map(({ card }) => toCard(card)) }, 200));
}

function toCard(card: ModelCard): z.infer<typeof modelCardSchema> {
  return {
    id: card.id,
    created: card.createdUnixSeconds,
    context_length: card.contextLength,
    d_model: card.dModel,
    blocks: card.blocks,
    precision: card.precision,
    hash: card.hash,
    sources: [...card.sources],
  };
}
