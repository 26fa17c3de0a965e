import { z } from 'zod';
import { asTillerError, errorCodes, TillerError } from '../../engine/index.ts';
import { openStore } from '../../sae-registry/index.ts';
import { createApp } from '../app.ts';
import { type Config, theModel } from '../config.ts';
import { storePath } from '../data-directory.ts';
import { createMetrics } from '../metrics/create-metrics.ts';
import { type OpenModelOptions, openModel } from '../open-model.ts';
import { AppServices, limitsOf } from '../services.ts';
import { readVersion } from '../version.ts';

const problemSchema = z.object({
  code: z.enum(errorCodes),
  detail: z.string(),
  param: z.string().optional(),
  suggestions: z.array(z.string()).optional(),
});

/** Opens the model of the configuration, asks one of the routes that a client would call, and closes it again. Throws what the route answers. */
export async function askModel<Answer>(
  config: Config,
  path: string,
  body: object,
  schema: z.ZodType<Answer>,
  options: OpenModelOptions & { readonly maxRows: number },
): Promise<Answer> {
  theModel(config);
  const { maxRows, ...opening } = options;
  const store = await openStore(storePath(config));
  try {
    const ready = await openModel({ ...config, maxRows, warmUp: 'none' }, { ...opening, store });
    try {
      const metrics = createMetrics(() => [ready]).services;
      const services = new AppServices({ version: readVersion(), limits: limitsOf(config), metrics, store });
      services.serve(ready);
      const response = await createApp(services).request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: options.signal ?? undefined,
      });
      const answer: unknown = await response.json();
      if (response.ok) return schema.parse(answer);
      throw problemOf(answer);
    } finally {
      await ready.close();
    }
  } finally {
    store.close();
  }
}

function problemOf(answer: unknown): TillerError {
  const problem = problemSchema.safeParse(answer);
  if (!problem.success) return asTillerError(new Error(`The route answered ${JSON.stringify(answer)}.`));
  const { code, detail, param, suggestions } = problem.data;
  return new TillerError(code, detail, { param, suggestions });
}
