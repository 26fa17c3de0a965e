import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses, featureErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';

const requestSchema = z
  .strictObject({
    text: z.string().trim().min(1).max(2000).openapi({ example: 'names of rivers' }),
    author: z.string().trim().min(1).max(200).openapi({ description: 'Who says so.', example: 'me' }),
    clarity: z.number().nullish().openapi({ description: 'The higher the clearer, as its author counts it.' }),
  })
  .openapi('NewLabel');

const labelSchema = z
  .object({ text: z.string(), method: z.string(), author: z.string(), clarity: z.number().nullable() })
  .openapi('AddedLabel');

const answer = { 'application/json': { schema: labelSchema } };

const route = createRoute({
  method: 'post',
  path: '/api/v1/features/{model}/{source}/{index}/labels',
  operationId: 'addLabel',
  summary: 'Add a label to a feature by hand',
  tags: ['Features'],
  request: {
    params: z.object({ model: z.string(), source: z.string(), index: z.string() }),
    body: { required: true, content: { 'application/json': { schema: requestSchema } } },
  },
  responses: {
    201: { description: 'It is written down, with the method `manual`.', content: answer },
    200: { description: 'It was there just so.', content: answer },
    ...errorResponses([...bodyErrors, ...featureErrors]),
  },
});

/** `POST /api/v1/features/{model}/{source}/{index}/labels`. */
export function registerFeatureLabels(app: Router, services: Services): void {
  app.on('POST', route.getRoutingPath(), jsonBody(requestSchema, services));
  app.openapi(
    route,
    (c) => {
      const { model, source, index } = c.req.valid('param');
      const { text, author, clarity = null } = c.req.valid('json');
      const added = services.labels.add(model, source, index, { text, author, clarity });
      return c.json({ text, method: 'manual', author, clarity }, added ? 201 : 200);
    },
    bodyHook(requestSchema),
  );
}
