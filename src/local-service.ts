import { z } from 'zod';
import { TillerError } from '../engine/index.ts';
import { openStore } from '../sae-registry/index.ts';
import { createApp } from './app.ts';
import { type Config, theModel } from './config.ts';
import { storePath } from './data-directory.ts';
import { createMetrics } from './metrics/create-metrics.ts';
import { type OpenModelOptions, openModel } from './open-model.ts';
import { AppServices, limitsOf, type ReadyModel } from './services.ts';
import { readVersion } from './version.ts';

/** The routes over a model in this process, without a socket: what a command asks, any client could. */
export interface LocalService {
  readonly model: ReadyModel;
  readonly services: AppServices;
  /** POSTs JSON and gives the answer's JSON. Throws what a failed answer says. */
  post(path: string, body: unknown): Promise<unknown>;
}

/** A command's data is on this machine already, whatever a client may send. */
const bodyBytes = 256 * 2 ** 20;

/** Opens the configured model and its store, runs `work` over its routes and closes both. */
export async function withLocalService<T>(
  config: Config,
  options: OpenModelOptions,
  work: (service: LocalService) => Promise<T>,
): Promise<T> {
  theModel(config);
  const store = await openStore(storePath(config));
  try {
    const model = await openModel({ ...config, warmUp: 'none' }, { ...options, store });
    try {
      const metrics = createMetrics(() => [model]).services;
      const limits = { ...limitsOf(config), bodyBytes };
      const services = new AppServices({ version: readVersion(), limits, metrics, store, dataDir: config.dataDir });
      services.serve(model);
      const app = createApp(services);
      const { signal } = options;
      return await work({
        model,
        services,
        post: async (path, body) => {
          const headers = { 'content-type': 'application/json' };
          const request = { method: 'POST', headers, body: JSON.stringify(body), ...(signal ? { signal } : {}) };
          const response = await app.request(path, request);
          const answer: unknown = await response.json();
          if (!response.ok) throw refusalOf(answer);
          return answer;
        },
      });
    } finally {
      await model.close();
    }
  } finally {
    store.close();
  }
}

const refusalSchema = z.union([
  z.object({ detail: z.string(), param: z.string().nullish(), suggestions: z.array(z.string()).optional() }),
  z
    .object({ error: z.object({ message: z.string(), param: z.string().nullish() }) })
    .transform(({ error }) => ({ detail: error.message, param: error.param, suggestions: undefined })),
]);

/** What a problem document or OpenAI's error object says, as an error of this process; a person is told the field, too. */
function refusalOf(answer: unknown): TillerError {
  const { detail, param, suggestions } = refusalSchema.parse(answer);
  const isSaid = param === null || param === undefined || detail.includes(param);
  return new TillerError('invalid_request', isSaid ? detail : `${param}: ${detail}`, { suggestions });
}
