import type { EditRequest } from '../routes/services.ts';
import type { Config } from './config.ts';
import { withShownService } from './local-service.ts';
import { toWireEdit } from './wire-edit.ts';

export interface LogitsCommand {
  readonly path: '/api/v1/logits' | '/api/v1/log-probabilities';
  /** The request's body but for its steering. */
  readonly body: object;
  readonly edits: readonly EditRequest[];
  readonly profile: string | null;
}

/** Asks the very route that a client would call, of a model that is loaded for it. Returns its answer. */
export async function runLogits(config: Config, { path, body, edits, profile }: LogitsCommand): Promise<unknown> {
  return withShownService({ ...config, maxRows: 4 }, async ({ model, request }) => {
    const steering = { ...(profile === null ? {} : { profile }), edits: edits.map(toWireEdit) };
    const steered = edits.length > 0 || profile !== null;
    return (await request(path, { model: model.id, ...body, ...(steered ? { steering } : {}) })).json();
  });
}
