import { createReadStream, readFileSync } from 'node:fs';
import { z } from 'zod';
import { TillerError } from '../../engine/index.ts';
import { autoConditionalAnswerSchema } from '../../routes/native/auto-conditional.ts';
import { autoSteerAnswerSchema } from '../../routes/native/auto-steer.ts';
import type { EditRequest } from '../../routes/services.ts';
import { eachJsonLine } from '../../sae-registry/index.ts';
import type { autoConditionalSettings, autoSteerSettings } from '../auto-steer-settings.ts';
import type { Config } from '../config.ts';
import { withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';
import type { SettingValues } from '../setting.ts';
import { toWireEdit } from '../wire-edit.ts';

/** What was found, as the routes answer it. */
export type AutoSteerAnswer = z.infer<typeof autoSteerAnswerSchema>;
export type AutoConditionalAnswer = z.infer<typeof autoConditionalAnswerSchema>;

const pairSchema = z.strictObject({
  prompt: z.string().min(1),
  positive: z.string().min(1),
  negative: z.string().min(1),
});
const messageSchema = z.union([
  z.string().min(1),
  z.strictObject({ text: z.string().min(1) }).transform(({ text }) => text),
]);

/** `tiller auto-steer`: from a description to edits, through the route that clients call. Throws `invalid_request` with the line at fault. */
export async function runAutoSteer(
  config: Config,
  specification: string,
  settings: SettingValues<typeof autoSteerSettings>,
  options: OpenModelOptions,
): Promise<AutoSteerAnswer> {
  const { pairs, question, prompt, seeds, words, features, save, temperature } = settings;
  const body = {
    ...{ specification, seeds, features, temperature, max_tokens: settings.maxTokens },
    ...{ vector_strengths: settings.vectorStrengths, feature_strengths: settings.featureStrengths },
    ...(pairs === null ? {} : { pairs: await jsonLines(pairs, pairSchema, 'pairs') }),
    ...(question.length > 0 ? { questions: question } : {}),
    ...(prompt.length > 0 ? { prompts: prompt } : {}),
    ...(words === null ? {} : { words: words.split(',').map((word) => word.trim()) }),
    ...(save === null ? {} : { save_as: { name: save } }),
  };
  return withLocalService(config, options, async ({ post }) =>
    autoSteerAnswerSchema.parse(await post('/api/v1/auto-steer', body)),
  );
}

/** `tiller auto-conditional`: from examples of prompts to a rule, likewise. */
export async function runAutoConditional(
  config: Config,
  request: SettingValues<typeof autoConditionalSettings> & {
    readonly positive: string;
    readonly negative: string;
    readonly edits: readonly EditRequest[];
  },
  options: OpenModelOptions,
): Promise<AutoConditionalAnswer> {
  const { hookPoint, save, edits } = request;
  const body = {
    positive: await readMessages(request.positive, 'positive'),
    negative: await readMessages(request.negative, 'negative'),
    steering: { edits: edits.map(toWireEdit) },
    ...(hookPoint.length > 0 ? { hook_points: hookPoint } : {}),
    ...(save === null ? {} : { save_as: { name: save } }),
  };
  return withLocalService(config, options, async ({ post }) =>
    autoConditionalAnswerSchema.parse(await post('/api/v1/auto-conditional', body)),
  );
}

/** Messages of a file: each line that is not empty, or of a `.jsonl` file each line's text. */
async function readMessages(path: string, param: string): Promise<readonly string[]> {
  if (path.endsWith('.jsonl')) return jsonLines(path, messageSchema, param);
  const lines = readable(path, param).split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== '');
}

async function jsonLines<T>(path: string, schema: z.ZodType<T>, param: string): Promise<T[]> {
  readable(path, param);
  const found: T[] = [];
  for await (const { number, value, reason } of eachJsonLine(createReadStream(path), schema)) {
    if (reason !== null) throw new TillerError('invalid_request', `${path}, line ${number} ${reason}`, { param });
    found.push(value);
  }
  return found;
}

function readable(path: string, param: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TillerError('invalid_request', `The file ${path} cannot be read.`, { param, cause });
  }
}
