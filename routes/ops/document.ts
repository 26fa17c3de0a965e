import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';

const description =
  'Serves a language model and its sparse autoencoders: OpenAI-compatible generation, steered per request by features and vectors.';

const route = createRoute({
  method: 'get',
  path: '/openapi.json',
  operationId: 'getOpenApiDocument',
  summary: 'This document',
  tags: ['Operations'],
  responses: {
    200: {
      description: 'OpenAPI 3.1.',
      content: { 'application/json': { schema: z.record(z.string(), z.unknown()) } },
    },
    ...errorResponses(['internal']),
  },
});

/** The OpenAPI 3.1 document of every route registered on `app`. */
export function openApiDocument(app: Router, version: string): ReturnType<Router['getOpenAPI31Document']> {
  return app.getOpenAPI31Document(
    { openapi: '3.1.0', info: { title: 'Tiller', version, description, license: { name: 'Apache-2.0' } } },
    { unionPreferredType: 'oneOf' },
  );
}

/** `GET /openapi.json`. */
export function registerDocument(app: Router, version: string): void {
  let document: ReturnType<typeof openApiDocument> | null = null;
  app.openapi(route, (c) => {
    document ??= openApiDocument(app, version);
    return c.json(document, 200);
  });
}
