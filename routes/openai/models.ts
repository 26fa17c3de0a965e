import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import { withParam } from '../http/errors.ts';
import type { Router } from '../http/router.ts';
import { type ListedModel, modelStates, type Services } from '../services.ts';
import { openAiErrorShape } from './errors.ts';

const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string(),
    max_model_len: z.int().nullable().openapi({
      description: 'Context length in tokens, as vLLM reports it; null while the model is not loaded.',
    }),
    parent: z.string().nullable().openapi({
      description: 'Of a saved steering, `model@profile`: the model that it steers, as vLLM reports adapters.',
    }),
    state: z
      .enum(modelStates)
      .openapi({ description: 'A model that is not loaded is loaded by the first request for it.' }),
  })
  .openapi('Model');

const listRoute = createRoute({
  method: 'get',
  path: '/v1/models',
  operationId: 'listModels',
  summary: 'Models that may be asked for, and their saved steerings',
  tags: ['OpenAI'],
  responses: {
    200: {
      description: 'The models that requests can name.',
      content: {
        'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }) },
      },
    },
    ...errorResponses(['not_ready', 'draining', 'internal'], openAiErrorShape),
  },
});

const getRoute = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  operationId: 'getModel',
  summary: 'One model',
  tags: ['OpenAI'],
  request: { params: z.object({ model: z.string().openapi({ example: 'smollm2-135m-instruct' }) }) },
  responses: {
    200: { description: 'The model.', content: { 'application/json': { schema: modelSchema } } },
    ...errorResponses(['model_not_found', 'profile_not_found', 'not_ready', 'draining', 'internal'], openAiErrorShape),
  },
});

/** `GET /v1/models` and `GET /v1/models/{model}`. */
export function registerModels(app: Router, services: Services): void {
  app.openapi(listRoute, (c) =>
    c.json({ object: 'list' as const, data: services.models().flatMap((model) => withProfiles(model, services)) }, 200),
  );
  app.openapi(getRoute, (c) => {
    const name = c.req.valid('param').model;
    try {
      const model = toModel(services.findModel(name), services);
      return c.json({ ...model, id: name, parent: name.includes('@') ? model.id : null }, 200);
    } catch (error) {
      throw withParam(error, 'model');
    }
  });
}

/** A model and, by `model@profile`, each of its saved steerings. */
function withProfiles(model: ListedModel, services: Services): z.infer<typeof modelSchema>[] {
  const plain = toModel(model, services);
  // every version is listed, newest first: a name stands once, with its newest
  const versions = services.profiles.list(model.id);
  const newest = versions.filter(({ name }, at) => versions.findIndex((one) => one.name === name) === at);
  const steered = newest.map(({ name, addedUnixMilliseconds }) => ({
    ...plain,
    id: `${model.id}@${name}`,
    created: Math.floor(addedUnixMilliseconds / 1000),
    parent: model.id,
  }));
  return [plain, ...steered];
}

function toModel({ id, state, service }: ListedModel, services: Services): z.infer<typeof modelSchema> {
  return {
    id,
    object: 'model',
    created: service?.card.createdUnixSeconds ?? services.startedUnixSeconds,
    owned_by: 'tiller',
    parent: null,
    max_model_len: service?.card.contextLength ?? null,
    state,
  };
}
