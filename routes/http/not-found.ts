import type { Context } from 'hono';
import { nearest, TillerError } from '../../engine/core/index.ts';
import type { AppEnv, Router } from './router.ts';

/**
 * Why no route takes a request: 405 where the path exists under another method (with the Allow header set), else 404 with the
 * nearest routes.
 */
export function unknownRoute(app: Router, c: Context<AppEnv>): TillerError {
  const allowed = methodsOf(app, c.req.path);
  if (allowed.length > 0) {
    c.header('Allow', allowed.join(', '));
    return new TillerError('method_not_allowed', `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}.`);
  }
  const suggestions = nearest(c.req.path, routePaths(app).map(toTemplate));
  const hint = suggestions[0] === undefined ? 'See /openapi.json.' : `Did you mean ${suggestions[0]}?`;
  return new TillerError('route_not_found', `No route ${c.req.path.slice(0, 200)}. ${hint}`, { suggestions });
}

/** The pattern that the request matched, for metrics; never the raw path, which anybody could make up. */
export function matchedRoute(app: Router, c: Context<AppEnv>): string {
  for (const [path, pattern] of patternsOf(app)) if (pattern.test(c.req.path)) return path;
  return 'unmatched';
}

function methodsOf(app: Router, path: string): string[] {
  const methods = endpoints(app)
    .filter((route) => toPattern(route.path).test(path))
    .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return [...new Set(methods)];
}

/** Patterns by path: every request asks for them. */
const patterns = new WeakMap<Router, { readonly routes: number; readonly byPath: ReadonlyMap<string, RegExp> }>();

function patternsOf(app: Router): ReadonlyMap<string, RegExp> {
  const known = patterns.get(app);
  if (known?.routes === app.routes.length) return known.byPath;
  const byPath = new Map(routePaths(app).map((path) => [path, toPattern(path)]));
  patterns.set(app, { routes: app.routes.length, byPath });
  return byPath;
}

/** Paths in a fixed order: those without parameters first, as the router prefers them. */
function routePaths(app: Router): string[] {
  const paths = new Set(endpoints(app).map(({ path }) => path));
  return [...paths].toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')) || (a < b ? -1 : 1));
}

function endpoints(app: Router): readonly { readonly method: string; readonly path: string }[] {
  return app.routes.filter(({ method, path }) => method !== 'ALL' && !path.includes('*'));
}

/** `/models/:model` as clients and the OpenAPI document spell it. */
function toTemplate(path: string): string {
  return path.replaceAll(/:([^/]+)/g, '{$1}');
}

function toPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`);
}
