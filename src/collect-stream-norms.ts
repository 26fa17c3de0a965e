import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import {
  canonicalHookPoint,
  type Executor,
  formatHookPoint,
  listHookPoints,
  parseHookPoint,
  type RowStep,
  type StreamPlaces,
  TillerError,
} from '../engine/core/index.ts';
import type { LoadedModel } from '../engine/load-model.ts';

/** One line of a calibration file: a conversation, or plain text. */
const lineSchema = z.union([
  z.strictObject({ messages: z.array(z.strictObject({ role: z.string(), content: z.string() })).min(1) }),
  z.strictObject({ text: z.string().min(1) }),
]);

/** What measuring needs of a loaded model. */
export type MeasuredModel = Pick<LoadedModel, 'config' | 'hash' | 'executor' | 'tokenizer' | 'chatTemplate'>;

/** What sae-registry/stream-norms.ts reads. */
export interface StreamNormsFile {
  readonly model: string;
  /** Hash of the weights that were measured. */
  readonly hash: string;
  /** Hash of the texts and the way of measuring. */
  readonly version: string;
  /** Tokens measured. */
  readonly tokens: number;
  /** Canonical hook point → median ‖x‖, first positions left out. */
  readonly norms: Readonly<Record<string, number>>;
}

/** Raised when the way of measuring changes. */
const method = 'median-norm-1';

/**
 * Measures the median norm of the stream at every hook point that can be edited, over the texts of a calibration file (JSON
 * lines). Throws `invalid_request` for a line that cannot be measured and for a file with nothing to measure.
 */
export async function collectStreamNorms(
  modelId: string,
  model: MeasuredModel,
  textsPath: string,
): Promise<StreamNormsFile> {
  const source = await readFile(textsPath, 'utf8');
  const texts = source.split('\n').filter((line) => line.trim() !== '');
  const { dModel } = model.config;
  const sites = editableSites(model.config);
  const norms = new Map<string, number[]>(sites.map((site) => [site, []]));
  let tokens = 0;
  for (const line of texts) {
    const ids = tokensOf(parseLine(line, textsPath), model, textsPath);
    tokens += ids.length;
    for await (const { taps, start, count } of streams(model.executor, ids, sites)) {
      for (const [site, stream] of taps) {
        for (let t = start === 0 ? 1 : 0; t < count; t++) {
          norms.get(site)?.push(Math.hypot(...stream.subarray(t * dModel, (t + 1) * dModel)));
        }
      }
    }
  }
  // Every first position is left out, so texts of one token leave nothing.
  if ([...norms.values()].some(({ length }) => length === 0))
    refuseTexts(`${textsPath} has no text of two tokens or more to measure.`);
  const version = `${method}-${createHash('sha256').update(source).digest('hex').slice(0, 12)}`;
  const medians = [...norms].map(([site, values]) => [site, Number(median(values).toPrecision(6))] as const);
  return { model: modelId, hash: model.hash, version, tokens, norms: Object.fromEntries(medians) };
}

/** Every place of the stream that can be edited, once, in the model's order. */
function editableSites(config: StreamPlaces): string[] {
  const places = listHookPoints(config)
    .filter((name) => name !== 'hook_embed')
    .map((name) => formatHookPoint(canonicalHookPoint(parseHookPoint(name, config))));
  return [...new Set(places)];
}

function parseLine(line: string, path: string): z.infer<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch (cause) {
    return refuseTexts(`${path} has a line that is neither {"text"} nor {"messages"}: ${line.slice(0, 60)}`, cause);
  }
}

function tokensOf(line: z.infer<typeof lineSchema>, model: MeasuredModel, path: string): Int32Array {
  const { chatTemplate, tokenizer, executor } = model;
  const text = 'text' in line ? line.text : chatTemplate?.render(line.messages, { addGenerationPrompt: false });
  if (text === undefined)
    return refuseTexts(`${path} has {"messages"}, and this model has no chat template; use {"text"}.`);
  const ids = tokenizer.encode(text, { addSpecialTokens: 'text' in line });
  if (ids.length <= executor.context) return ids;
  const start = text.slice(0, 60);
  return refuseTexts(`${path} has a text of ${ids.length} tokens; the context is ${executor.context}: ${start}`);
}

function refuseTexts(message: string, cause?: unknown): never {
  throw new TillerError('invalid_request', message, { param: 'texts', cause });
}

async function* streams(executor: Executor, ids: Int32Array, taps: readonly string[]) {
  for (let start = 0; start < ids.length; start += executor.maxChunk) {
    const tokens = ids.slice(start, start + executor.maxChunk);
    const row: RowStep = { requestId: 'collect', slot: 0, tokens, start, logits: 'never', edits: [], taps };
    const [result] = await executor.run({ kind: 'prefill', rows: [row] });
    if (result) yield { taps: result.taps, start, count: tokens.length };
  }
  executor.freeSlot(0);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
