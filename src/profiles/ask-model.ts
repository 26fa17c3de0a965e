import { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';
import { openStore } from '../../sae-registry/index.ts';
import { createApp } from '../app.ts';
import { createProgressDisplay } from '../cli/progress-display.ts';
import { type Config, theModel } from '../config.ts';
import { storePath } from '../data-directory.ts';
import { createMetrics } from '../metrics/create-metrics.ts';
import { openModel } from '../open-model.ts';
import { AppServices, limitsOf } from '../services.ts';
import { readVersion } from '../version.ts';

const answerSchema = z.object({ model: z.string(), name: z.string(), version: z.number() });

/** The version that a command saved. */
export type SavedAs = z.infer<typeof answerSchema>;

/** Loads the configured model and posts to the very route that a client would call. Throws `invalid_request` with what it answers. */
export async function saveOverModel(config: Config, path: (model: string) => string, body: unknown): Promise<SavedAs> {
  return answerSchema.parse(await askModel({ ...config, maxRows: 1 }, path, body));
}

const problemSchema = z.object({ detail: z.string(), code: z.string(), suggestions: z.array(z.string()).optional() });

/** The same for any route: the JSON that it answers. Bytes are sent as they are. Throws `invalid_request` with what a refusal says. */
export async function askModel(config: Config, path: (model: string) => string, body: unknown): Promise<unknown> {
  theModel(config);
  const store = await openStore(storePath(config));
  try {
    const display = createProgressDisplay(process.stderr);
    const ready = await openModel({ ...config, warmUp: 'none' }, { ...display, store }).finally(display.stop);
    try {
      const metrics = createMetrics(() => [ready]).services;
      const services = new AppServices({ version: readVersion(), limits: limitsOf(config), metrics, store });
      services.serve(ready);
      const bytes = body instanceof Uint8Array ? Uint8Array.from(body) : null;
      const response = await createApp(services).request(path(ready.id), {
        method: 'POST',
        headers: { 'content-type': bytes === null ? 'application/json' : 'application/octet-stream' },
        body: bytes ?? JSON.stringify(body),
      });
      const answer: unknown = await response.json();
      if (response.ok) return answer;
      const { detail, suggestions } = problemSchema.parse(answer);
      throw new TillerError('invalid_request', detail, { suggestions });
    } finally {
      await ready.close();
    }
  } finally {
    store.close();
  }
}
