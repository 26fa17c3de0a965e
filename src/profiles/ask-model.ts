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

const answerSchema = z.union([
  z.object({ model: z.string(), name: z.string(), version: z.number() }),
  z.object({ detail: z.string(), suggestions: z.array(z.string()).optional() }),
]);

/** The version that a command saved. */
export type SavedAs = Extract<z.infer<typeof answerSchema>, { readonly version: number }>;

/** Loads the configured model and posts to the very route that a client would call. Throws `invalid_request` with what it answers. */
export async function saveOverModel(config: Config, path: (model: string) => string, body: unknown): Promise<SavedAs> {
  theModel(config);
  const store = await openStore(storePath(config));
  try {
    const display = createProgressDisplay(process.stderr);
    const ready = await openModel({ ...config, maxRows: 1, warmUp: 'none' }, { ...display, store }).finally(
      display.stop,
    );
    try {
      const metrics = createMetrics(() => [ready]).services;
      const services = new AppServices({ version: readVersion(), limits: limitsOf(config), metrics, store });
      services.serve(ready);
      const response = await createApp(services).request(path(ready.id), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const answer = answerSchema.parse(await response.json());
      if ('version' in answer) return answer;
      throw new TillerError('invalid_request', answer.detail, { suggestions: answer.suggestions });
    } finally {
      await ready.close();
    }
  } finally {
    store.close();
  }
}
