import { z } from 'zod';
import { TillerError } from '../engine/index.ts';
import type { EditRequest } from '../routes/services.ts';
import { openStore, type Store } from '../sae-registry/index.ts';
import { createApp } from './app.ts';
import { createProgressDisplay } from './cli/progress-display.ts';
import { type Config, theModel } from './config.ts';
import { storePath } from './data-directory.ts';
import { createMetrics } from './metrics/create-metrics.ts';
import { openModel } from './open-model.ts';
import { AppServices, limitsOf } from './services.ts';
import { readVersion } from './version.ts';
import { toWireEdit } from './wire-edit.ts';

export interface LogitsCommand {
  readonly path: '/api/v1/logits' | '/api/v1/log-probabilities';
  /** The request's body but for its steering. */
  readonly body: object;
  readonly edits: readonly EditRequest[];
  readonly profile: string | null;
}

const problemSchema = z.object({ detail: z.string(), suggestions: z.array(z.string()).optional() });

/** Asks the very route that a client would call, of a model that is loaded for it. Returns its answer. */
export async function runLogits(config: Config, command: LogitsCommand): Promise<unknown> {
  theModel(config);
  const store = await openStore(storePath(config));
  try {
    return await askOver(store, config, command);
  } finally {
    store.close();
  }
}

async function askOver(store: Store, config: Config, { path, body, edits, profile }: LogitsCommand): Promise<unknown> {
  const display = createProgressDisplay(process.stderr);
  const ready = await openModel({ ...config, maxRows: 4, warmUp: 'none' }, { ...display, store }).finally(display.stop);
  try {
    const metrics = createMetrics(() => [ready]).services;
    const services = new AppServices({ version: readVersion(), limits: limitsOf(config), metrics, store });
    services.serve(ready);
    const steering = { ...(profile === null ? {} : { profile }), edits: edits.map(toWireEdit) };
    const steered = edits.length > 0 || profile !== null;
    const response = await createApp(services).request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: ready.id, ...body, ...(steered ? { steering } : {}) }),
    });
    const answer: unknown = await response.json();
    if (response.ok) return answer;
    const { detail, suggestions } = problemSchema.parse(answer);
    throw new TillerError('invalid_request', detail, { suggestions });
  } finally {
    await ready.close();
  }
}
