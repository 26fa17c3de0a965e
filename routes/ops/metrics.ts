import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';

const route = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'Metrics for Prometheus',
  tags: ['Operations'],
  responses: {
    200: { description: 'Text exposition format.', content: { 'text/plain': { schema: z.string() } } },
    ...errorResponses(['internal']),
  },
});

/** `GET /metrics`. */
export function registerMetrics(app: Router, services: Services): void {
  app.openapi(route, async (c) => {
    const { contentType, body } = await services.metrics.render();
    return c.text(body, 200, { 'Content-Type': contentType });
  });
}
