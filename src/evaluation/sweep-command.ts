import { z } from 'zod';
import { TillerError } from '../../engine/index.ts';
import { sweepAnswerSchema } from '../../routes/native/sweep-schemas.ts';
import type { Config } from '../config.ts';
import { withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';
import { readJsonFile } from '../read-json-file.ts';
import type { SettingValues } from '../setting.ts';
import type { sweepSettings } from '../sweep-settings.ts';

/** A sweep as the route answers it. */
export type SweepAnswer = z.infer<typeof sweepAnswerSchema>;

/** `tiller sweep`: steerings × strengths × prompts × seeds through the route that clients call. */
export async function runSweep(config: Config, body: object, options: OpenModelOptions): Promise<SweepAnswer> {
  return withLocalService(config, options, async ({ post }) =>
    sweepAnswerSchema.parse(await post('/api/v1/sweeps', body)),
  );
}

/** The request of a command line. Throws `invalid_request` in the words of its flags. */
export function sweepBody(settings: SettingValues<typeof sweepSettings>): object {
  const { feature: features, vector: vectors, prompt: prompts, seeds, unit, words, probe, temperature } = settings;
  const steerings = readSteerings(settings.steerings);
  if (features.length + vectors.length + steerings.length === 0) {
    const message = 'Nothing to sweep over: give --feature, --vector or --steerings.';
    throw new TillerError('invalid_request', message, { param: 'feature' });
  }
  if (unit !== null && features.length + vectors.length === 0) {
    const message = '--unit is of --feature and --vector; the edits of --steerings have units of their own.';
    throw new TillerError('invalid_request', message, { param: 'unit' });
  }
  const said = words?.split(',').map((word) => word.trim());
  const targets = [
    ...(said ? [{ words: said }] : []),
    ...probe.map((name) => ({ name, probe: name.includes('/') ? { feature: name } : { vector: name } })),
  ];
  const strengths = settings.strengths ?? usualStrengths(features.length, vectors.length, steerings.length, unit);
  const sampling = { max_tokens: settings.maxTokens, temperature };
  return { features, vectors, steerings, unit, strengths, prompts, seeds, targets, ...sampling };
}

/** Strengths that are worth a look, where all steerings are of one kind and in its usual unit. */
function usualStrengths(features: number, vectors: number, steerings: number, unit: string | null): readonly number[] {
  if (steerings === 0 && vectors === 0 && (unit ?? 'max_activation') === 'max_activation') return [0.5, 1, 1.5];
  if (steerings === 0 && features === 0 && (unit ?? 'stream_norm') === 'stream_norm') return [0.1, 0.2, 0.4, 0.8];
  const message = 'Give --strengths: only those of features alone, or of vectors alone, in their usual unit are known.';
  throw new TillerError('invalid_request', message, { param: 'strengths' });
}

const steeringsSchema = z.array(z.looseObject({ name: z.string(), edits: z.array(z.unknown()) })).min(1);

function readSteerings(path: string | null): z.infer<typeof steeringsSchema> {
  if (path === null) return [];
  const parsed = steeringsSchema.safeParse(readJsonFile(path, 'steerings'));
  if (parsed.success) return parsed.data;
  const message = `${path} holds no steerings: a list of {"name", "edits"} is wanted, as in POST /api/v1/sweeps.`;
  throw new TillerError('invalid_request', message, { param: 'steerings' });
}
