import type { Router } from '../routes/http/router.ts';
import { createRoutes } from '../routes/index.ts';
import type { Services } from '../routes/services.ts';

/** The service's HTTP application: `fetch(Request)` in, Response out. src/server.ts puts it on a socket. */
export type App = Router;

/** Composes the routes over the services that src/services.ts built. */
export function createApp(services: Services): App {
  return createRoutes(services);
}
