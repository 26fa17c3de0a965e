import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { errorResponses } from '../http/error-responses.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';

const statusBody = (status: string) => ({
  'application/json': { schema: z.object({ status: z.literal(status), version: z.string() }) },
});

const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getHealth',
  summary: 'Whether the process answers at all',
  tags: ['Operations'],
  responses: { 200: { description: 'It does.', content: statusBody('ok') }, ...errorResponses(['internal']) },
});

const readyRoute = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'getReadiness',
  summary: 'Whether requests are taken now',
  tags: ['Operations'],
  responses: {
    200: { description: 'They are.', content: statusBody('ready') },
    ...errorResponses(['not_ready', 'draining', 'internal']),
  },
});

/** `GET /healthz` and `GET /readyz`. */
export function registerHealth(app: Router, services: Services): void {
  app.openapi(healthRoute, (c) => c.json({ status: 'ok', version: services.version }, 200));
  app.openapi(readyRoute, (c) => {
    refuseUnlessReady(services);
    return c.json({ status: 'ready', version: services.version }, 200);
  });
}

/** Throws `draining` or `not_ready` with the reason while requests are not taken. */
export function refuseUnlessReady(services: Services): void {
  if (services.draining()) {
    throw new TillerError(
      'draining',
      'The service is shutting down: running replies finish, new requests are not taken.',
    );
  }
  const reason = services.notReady();
  if (reason !== null) throw new TillerError('not_ready', `Not ready: ${reason}`);
}
