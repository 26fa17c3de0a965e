import { writeFile } from 'node:fs/promises';
import type { z } from 'zod';
import { TillerError } from '../../engine/index.ts';
import type { activationsResponseSchema } from '../../routes/native/activation-schemas.ts';
import type { Config } from '../config.ts';
import type { activationsSettings, tapsSettings } from '../inspection-settings.ts';
import { type LocalService, withShownService } from '../local-service.ts';
import type { SettingValues } from '../setting.ts';

export type ActivationsAnswerBody = z.infer<typeof activationsResponseSchema>;

/** What `tiller activations` did: an answer to show, or a file. */
export type ActivationsOutcome =
  | { readonly answer: ActivationsAnswerBody }
  | { readonly file: string; readonly bytes: number };

/** Asks `POST /api/v1/activations` about texts, in process. */
export async function runActivations(
  config: Config,
  texts: readonly string[],
  settings: SettingValues<typeof activationsSettings>,
): Promise<ActivationsOutcome> {
  const { only, perToken, perText, rankBy, includeSinks, out } = settings;
  const features = only.filter((id) => /(^|\/)\d+$/.test(id));
  const sources = only.filter((id) => !features.includes(id));
  if (features.length > 0 && sources.length > 0) {
    throw new TillerError('invalid_request', '--only names features and whole sources: name one kind of them.');
  }
  const body = {
    inputs: texts.map((text) => ({ text })),
    ...(features.length > 0 ? { features } : {}),
    ...(sources.length > 0 ? { sources } : {}),
    top_k_per_token: perToken,
    top_k_per_text: perText,
    rank_by: rankBy,
    include_sinks: includeSinks,
  };
  return withShownService(fewRows(config), async (service) => {
    if (out !== null) return { file: out, bytes: await save(service, '/api/v1/activations', body, out) };
    return { answer: (await (await service.request('/api/v1/activations', body)).json()) as ActivationsAnswerBody };
  });
}

/** Asks `POST /api/v1/taps` about texts, in process, and writes the file. */
export async function runTaps(
  config: Config,
  texts: readonly string[],
  { hookPoint, positions, dtype, out }: SettingValues<typeof tapsSettings>,
): Promise<{ readonly file: string; readonly bytes: number }> {
  const file = out ?? 'taps.safetensors';
  const body = { inputs: texts.map((text) => ({ text })), hook_points: hookPoint, positions, dtype };
  return withShownService(fewRows(config), async (service) => {
    return { file, bytes: await save(service, '/api/v1/taps', body, file) };
  });
}

/** A command reads a few texts: memory for many rows would be reserved for nothing. */
function fewRows(config: Config): Config {
  return { ...config, maxRows: config.maxRows ?? 2 };
}

async function save(service: LocalService, path: string, body: object, file: string): Promise<number> {
  const response = await service.request(path, body, { Accept: 'application/vnd.safetensors' });
  const bytes = new Uint8Array(await response.arrayBuffer());
  await writeFile(file, bytes);
  return bytes.byteLength;
}
