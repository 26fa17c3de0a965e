import type { MiddlewareHandler } from 'hono';
import type { Services } from '../services.ts';
import { statusOf } from './errors.ts';
import { matchedRoute } from './not-found.ts';
import type { AppEnv, Router } from './router.ts';

/**
 * Times every request until its last byte was handed over, and lets go then of what it held; a streamed answer ends when its stream
 * does.
 */
export function observeRequests(app: Router, services: Services): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const started = performance.now();
    c.set('held', []);
    const observe = (status: number) => {
      for (const held of c.get('held')) held.release();
      services.metrics.observeHttp({
        method: c.req.method,
        route: matchedRoute(app, c),
        status,
        seconds: (performance.now() - started) / 1000,
      });
    };
    await next();
    const streamEnded = c.get('streamEnded');
    if (!streamEnded) return observe(c.res.status);
    void streamEnded.then((how) => observe(how === 'gone' ? statusOf('cancelled') : c.res.status));
  };
}
