import type { Context, NotFoundHandler } from 'hono';
import { nearest, TillerError } from '../../engine/core/index.ts';
import type { AppEnv, Router } from './router.ts';

/** Throws for a request that no route takes: 405 where the path exists under another method, else 404 with nearest routes. */
export function refuseUnknownRoute(app: Router): NotFoundHandler<AppEnv> {
  return (c) => {
    const allowed = methodsOf(app, c.req.path);
    if (allowed.length > 0) {
      c.header('Allow', allowed.join(', '));
      throw new TillerError('method_not_allowed', `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}.`);
    }
    const suggestions = nearest(c.req.path, routePaths(app));
    const hint = suggestions[0] === undefined ? 'See /openapi.json.' : `Did you mean ${suggestions[0]}?`;
    throw new TillerError('route_not_found', `No route ${c.req.path.slice(0, 200)}. ${hint}`, { suggestions });
  };
}

/** The pattern that the request matched, for metrics; never the raw path, which anybody could make up. */
export function matchedRoute(app: Router, c: Context<AppEnv>): string {
  return routePaths(app).find((path) => toPattern(path).test(c.req.path)) ?? 'unmatched';
}

function methodsOf(app: Router, path: string): string[] {
  const methods = endpoints(app)
    .filter((route) => toPattern(route.path).test(path))
    .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return [...new Set(methods)];
}

/** Paths in a fixed order: those without parameters first, as the router prefers them. */
function routePaths(app: Router): string[] {
  const paths = new Set(endpoints(app).map(({ path }) => path));
  return [...paths].toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')) || (a < b ? -1 : 1));
}

function endpoints(app: Router): readonly { readonly method: string; readonly path: string }[] {
  return app.routes.filter(({ method, path }) => method !== 'ALL' && !path.includes('*'));
}

function toPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`);
}
