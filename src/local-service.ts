import { type App, createApp } from './app.ts';
import { createProgressDisplay } from './cli/progress-display.ts';
import { type Config, theModel } from './config.ts';
import { createMetrics } from './metrics/create-metrics.ts';
import { type OpenModelOptions, openModel } from './open-model.ts';
import { refusalOf, refusalWithField } from './route-refusal.ts';
import { AppServices, limitsOf, type ReadyModel } from './services.ts';
import { readVersion } from './version.ts';
import { withStore } from './with-store.ts';

/** The routes over a model in this process, without a socket: what a command asks, any client could. */
export interface LocalService {
  readonly model: ReadyModel;
  readonly services: AppServices;
  readonly app: App;
  /** POSTs JSON, or bytes as they are, and gives the answer. Throws what a failed answer says (`refusalOf`). */
  request(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** The same, and gives the answer's JSON; what it throws says the field, too. */
  post(path: string, body: unknown): Promise<unknown>;
}

export interface LocalServiceOptions extends OpenModelOptions {
  /** Largest body that the routes take; left out: what no client may send. */
  readonly bodyBytes?: number;
}

/** A command's data is on this machine already, whatever a client may send. */
const commandBodyBytes = 256 * 2 ** 20;

/** Opens the configured model and its store, runs `work` over its routes and closes both. */
export async function withLocalService<T>(
  config: Config,
  { bodyBytes = commandBodyBytes, ...options }: LocalServiceOptions,
  work: (service: LocalService) => Promise<T>,
): Promise<T> {
  theModel(config);
  return withStore(config, async (store) => {
    const model = await openModel({ ...config, warmUp: 'none' }, { ...options, store });
    try {
      const metrics = createMetrics(() => [model]).services;
      const limits = { ...limitsOf(config), bodyBytes };
      const services = new AppServices({ version: readVersion(), limits, metrics, store, dataDir: config.dataDir });
      services.serve(model);
      const app = createApp(services);
      const { signal } = options;
      const send = async (path: string, body: unknown, more: Readonly<Record<string, string>> = {}) => {
        const isBytes = body instanceof Uint8Array;
        const type = isBytes ? 'application/octet-stream' : 'application/json';
        return app.request(path, {
          method: 'POST',
          headers: { 'content-type': type, ...more },
          body: isBytes ? Uint8Array.from(body) : JSON.stringify(body),
          ...(signal ? { signal } : {}),
        });
      };
      return await work({
        ...{ model, services, app },
        async request(path, body, headers) {
          const response = await send(path, body, headers);
          if (response.ok) return response;
          throw refusalOf(await response.json());
        },
        async post(path, body) {
          const response = await send(path, body);
          const answer: unknown = await response.json();
          if (response.ok) return answer;
          throw refusalWithField(refusalOf(answer));
        },
      });
    } finally {
      await model.close();
    }
  });
}

/** The same with the opening's progress on standard error, and a client's limits. */
export async function withShownService<T>(config: Config, work: (service: LocalService) => Promise<T>): Promise<T> {
  const display = createProgressDisplay(process.stderr);
  try {
    return await withLocalService(config, { ...display, ...clientLimits(config) }, (service) => {
      display.stop();
      return work(service);
    });
  } finally {
    display.stop();
  }
}

/** For commands that send what a client could. */
export function clientLimits(config: Config): Pick<LocalServiceOptions, 'bodyBytes'> {
  return { bodyBytes: limitsOf(config).bodyBytes };
}
