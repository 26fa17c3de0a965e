import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { errorResponses, readingErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { ActivationSearch, ModelService, Services } from '../services.ts';
import { featureSummarySchema } from './feature-schemas.ts';
import { messageSchema, readingPrompt } from './reading-prompt.ts';

const requestSchema = z
  .strictObject({
    model: z.string().min(1).optional().openapi({ description: 'Default: the first model.' }),
    text: z.string().min(1).optional().openapi({ example: 'The cat sat on the mat and purred.' }),
    messages: z.array(messageSchema).min(1).optional().openapi({ description: 'Instead of text: a conversation.' }),
    sources: z
      .array(z.string().min(1))
      .min(1)
      .max(16)
      .optional()
      .openapi({ description: 'Default: all of the model.' }),
    by: z.enum(['max', 'mean', 'count']).default('max').openapi({
      description:
        'Rank by the greatest activation, by the mean over all tokens that count, or by how many of them it fires on.',
    }),
    limit: z.int().min(1).max(100).default(10).openapi({ description: 'Features of each source.' }),
  })
  .openapi('ActivationSearchRequest');

const foundSchema = featureSummarySchema.omit({ score: true }).extend({
  value: z.number().openapi({ description: 'What it is ranked by.' }),
  max: z.number(),
  mean: z.number(),
  count: z.int(),
  position: z.int().openapi({ description: 'The token of its maximum.' }),
  token: z.string(),
});

const responseSchema = z
  .object({
    model: z.string(),
    by: z.enum(['max', 'mean', 'count']),
    tokens: z.array(z.string()),
    sources: z.array(
      z.object({
        source: z.string(),
        hook_point: z.string(),
        ignored_positions: z.array(z.int()).openapi({
          description:
            'Attention sinks, where a dictionary says nothing: the first token, and those beyond its `sink_norm`.',
        }),
        truncated_positions: z.array(z.int()).openapi({
          description: 'Tokens on which more features fire than are looked at: the weakest there are left out.',
        }),
        features: z.array(foundSchema),
      }),
    ),
  })
  .openapi('ActivationSearchResponse');

const route = createRoute({
  method: 'post',
  path: '/api/v1/features/search-by-activation',
  operationId: 'searchFeaturesByActivation',
  summary: 'Features that fire on a text, strongest first',
  tags: ['Features'],
  request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
  responses: {
    200: { description: 'For each source its features.', content: { 'application/json': { schema: responseSchema } } },
    ...errorResponses(readingErrors),
  },
});

/** `POST /api/v1/features/search-by-activation`. */
export function registerActivationSearch(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const { model: name = null, text, messages, sources = null, by, limit } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(name);
      const { signal } = c.req.raw;
      const tokenIds = await readingPrompt(model, { text, messages }, signal);
      if (tokenIds.length < 2) {
        const message = 'The text is one token, and the first token of a text is never counted. Give a longer one.';
        throw new TillerError('invalid_request', message, { param: text === undefined ? 'messages' : 'text' });
      }
      const found = await model.searchByActivation({ tokenIds, sources, by, limit, signal });
      return c.json(toBody(model, tokenIds, by, found), 200);
    },
    bodyHook(requestSchema),
  );
}

function toBody(
  { card, tokenizer }: ModelService,
  tokenIds: Int32Array,
  by: 'max' | 'mean' | 'count',
  found: ActivationSearch,
): z.infer<typeof responseSchema> {
  const tokens = Array.from(tokenIds, (id) => tokenizer.tokenText(id));
  return {
    model: card.id,
    by,
    tokens,
    sources: found.sources.map(({ id, hookPoint, ignored, truncated, features }) => ({
      source: id,
      hook_point: hookPoint,
      ignored_positions: [...ignored],
      truncated_positions: [...truncated],
      features: features.map((feature) => ({
        id: feature.id,
        model: feature.model,
        source: feature.source,
        index: feature.index,
        label: feature.label,
        value: feature[by],
        max: feature.max,
        mean: feature.mean,
        count: feature.count,
        position: feature.position,
        token: tokens[feature.position] ?? '',
      })),
    })),
  };
}
