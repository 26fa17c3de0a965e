import { z } from 'zod';
import type { Config } from '../config.ts';
import { withShownService } from '../local-service.ts';

const answerSchema = z.object({ model: z.string(), name: z.string(), version: z.number() });

/** The version that a command saved. */
export type SavedAs = z.infer<typeof answerSchema>;

/** Loads the configured model and posts to the very route that a client would call. Throws what a refusal says. */
export async function saveOverModel(config: Config, path: (model: string) => string, body: unknown): Promise<SavedAs> {
  return answerSchema.parse(await askModel({ ...config, maxRows: 1 }, path, body));
}

/** The same for any route: the JSON that it answers. Bytes are sent as they are. Throws what a refusal says. */
export async function askModel(config: Config, path: (model: string) => string, body: unknown): Promise<unknown> {
  return withShownService(config, async ({ model, request }) => (await request(path(model.id), body)).json());
}
