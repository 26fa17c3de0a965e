import { createRoute, type z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { errorResponses, readingErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import { mostContrastTokens, type NamedItem, toContrastItems } from './contrast-items.ts';
import { contrastRequestSchema, contrastResponseSchema, toContrastBody } from './contrast-schemas.ts';

const route = createRoute({
  method: 'post',
  path: '/api/v1/contrast',
  operationId: 'contrast',
  summary: 'What tells two data sets apart inside the model: a vector and features',
  tags: ['Vectors'],
  request: { body: { required: true, content: { 'application/json': { schema: contrastRequestSchema } } } },
  responses: {
    200: {
      description: 'The vector, how well it does on what it has not seen, and the features that differ.',
      content: { 'application/json': { schema: contrastResponseSchema } },
    },
    ...errorResponses([...readingErrors, 'hook_point_not_found', 'edit_not_applicable']),
  },
});

/** `POST /api/v1/contrast`. */
export function registerContrast(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(contrastRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const { signal } = c.req.raw;
      const { method, positions, features, save_as: saveAs, include_vector: includeVector } = body;
      const classes = namedItems(body);
      const options = { positions, mostTokens: mostContrastTokens, signal };
      const items = await toContrastItems(model, [...classes.positive, ...classes.negative], options);
      const contrast = await model.contrast({
        positive: items.slice(0, classes.positive.length),
        negative: items.slice(classes.positive.length),
        paired: body.pairs !== undefined,
        method,
        positions,
        hookPoints: body.hook_points ?? null,
        folds: body.folds,
        features: { sources: features?.sources ?? null, by: features?.by ?? 'auroc', limit: features?.limit ?? 20 },
        nearest: body.nearest,
        saveAs: saveAs ? { name: saveAs.name, description: saveAs.description ?? '' } : null,
        signal,
      });
      return c.json(toContrastBody(contrast, { model: model.card.id, method, positions, includeVector }), 200);
    },
    bodyHook(contrastRequestSchema),
  );
}

/** The items of both classes, each with where it stood. */
function namedItems({ pairs, positive, negative }: z.infer<typeof contrastRequestSchema>): {
  readonly positive: readonly NamedItem[];
  readonly negative: readonly NamedItem[];
} {
  if ((pairs === undefined) === (positive === undefined && negative === undefined)) {
    const message = "Give either 'pairs', or 'positive' and 'negative'.";
    throw new TillerError('invalid_request', message, { param: pairs === undefined ? 'pairs' : 'positive' });
  }
  if (pairs !== undefined) {
    const side = (of: 'positive' | 'negative') =>
      pairs.map((pair, at) => ({ body: pair[of], topic: pair.topic ?? null, param: `pairs[${at}].${of}` }));
    return { positive: side('positive'), negative: side('negative') };
  }
  const side = (of: 'positive' | 'negative', items: typeof positive = []) =>
    items.map((item, at) => {
      if (typeof item === 'string') return { body: item, topic: null, param: `${of}[${at}]` };
      const { topic = null, ...body } = item;
      return { body, topic, param: `${of}[${at}]` };
    });
  return { positive: side('positive', positive), negative: side('negative', negative) };
}
