import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses, readingErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import { readingTexts } from './reading-texts.ts';

/** Tokens of all texts together: each is run three times while the caller waits. `tiller sae eval` takes more. */
const mostTokens = 16_384;

const requestSchema = z
  .strictObject({
    texts: z
      .array(z.string().min(1))
      .min(1)
      .max(256)
      .openapi({
        description: `Texts to evaluate on, none longer than the context, and together at most ${mostTokens} tokens.`,
      }),
  })
  .openapi('SourceEvaluationRequest');

const responseSchema = z
  .object({
    source: z.string(),
    texts: z.int(),
    tokens: z.int().openapi({ description: 'Those that count: first tokens and attention sinks do not.' }),
    explained_variance: z.number(),
    l0: z.number(),
    features: z.int(),
    silent_features: z.int().openapi({ description: 'Fired on none of these tokens: of few tokens not all are dead.' }),
    loss: z.object({ plain: z.number(), spliced: z.number(), zeroed: z.number() }).openapi({
      description:
        'Mean cross-entropy in nats: as it is, with the reconstruction in place of what it describes, with zeros there.',
    }),
    loss_recovered: z.number(),
  })
  .openapi('SourceEvaluation');

const route = createRoute({
  method: 'post',
  path: '/api/v1/sources/{model}/{source}/evaluate',
  operationId: 'evaluateSource',
  summary: 'How much of the stream, and of the model’s predictions, a dictionary keeps',
  tags: ['Features'],
  request: {
    params: z.object({ model: z.string(), source: z.string() }),
    body: { required: true, content: { 'application/json': { schema: requestSchema } } },
  },
  responses: {
    200: { description: 'Its health on these texts.', content: { 'application/json': { schema: responseSchema } } },
    ...errorResponses(readingErrors),
  },
});

/** `POST /api/v1/sources/{model}/{source}/evaluate`. */
export function registerSourceEvaluation(app: Router, services: Services): void {
  app.on('POST', '/api/v1/sources/:model/:source/evaluate', jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const { model: name, source } = c.req.valid('param');
      const { texts } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(name);
      const { signal } = c.req.raw;
      const sequences = await readingTexts(
        model,
        texts,
        { most: mostTokens, beyond: 'tiller sae eval takes more' },
        signal,
      );
      const health = await model.evaluateSource({ source, sequences, signal });
      return c.json(
        {
          source: health.source,
          texts: health.texts,
          tokens: health.tokens,
          explained_variance: health.explainedVariance,
          l0: health.l0,
          features: health.features,
          silent_features: health.silentFeatures,
          loss: { ...health.loss },
          loss_recovered: health.lossRecovered,
        },
        200,
      );
    },
    bodyHook(requestSchema),
  );
}
