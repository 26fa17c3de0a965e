import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';

const links = {
  models: '/v1/models',
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  feature_search: '/api/v1/features/search?q=',
  openapi: '/openapi.json',
  metrics: '/metrics',
  ready: '/readyz',
} as const;

const route = createRoute({
  method: 'get',
  path: '/',
  operationId: 'getRoot',
  summary: 'What is here',
  tags: ['Operations'],
  responses: {
    200: {
      description: 'Name, version and the first paths to try.',
      content: {
        'application/json': {
          schema: z.object({ name: z.string(), version: z.string(), links: z.record(z.string(), z.string()) }),
        },
      },
    },
    ...errorResponses(['internal']),
  },
});

/** `GET /`. */
export function registerRoot(app: Router, version: string): void {
  app.openapi(route, (c) => c.json({ name: 'tiller', version, links }, 200));
}
