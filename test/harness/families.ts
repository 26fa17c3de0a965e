import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openCheckpoint, prepareFloat32Weights, type WeightsFile } from '../../engine/checkpoint/index.ts';
import {
  canonicalHookPoint,
  type Executor,
  formatHookPoint,
  type ModelConfig,
  parseHookPoint,
  type RowStep,
} from '../../engine/core/index.ts';
import { floats } from './golden.ts';
import { PatternPieces, showsKeys } from './pattern-pieces.ts';

/** The tiny checkpoints of test/fixtures/families: one for each family and, where it matters, form of publication. */
export const familyFolders = [
  'llama3',
  'mistral',
  'qwen2',
  'qwen3',
  'gpt2',
  'gpt_neox',
  'gemma2',
  'gemma3',
  'gemma3_multimodal',
] as const;
export type FamilyFolder = (typeof familyFolders)[number];

/** What Hugging Face transformers computes with a fixture (test/fixtures/families/README.md). */
export interface FamilyGolden {
  readonly cases: readonly FamilyCase[];
}
export interface FamilyCase {
  readonly name: 'short' | 'long';
  readonly ids: readonly number[];
  readonly perplexity: number;
  readonly logits: GoldenArray;
  readonly positions: readonly number[];
  readonly hooks: Readonly<Record<string, GoldenArray>>;
}
interface GoldenArray {
  readonly shape: readonly number[];
  readonly data: string;
}

const root = resolve(import.meta.dirname, '../fixtures/families');
export const familyPath = (folder: FamilyFolder) => join(root, folder);
export const familyGolden = (folder: FamilyFolder): FamilyGolden =>
  JSON.parse(readFileSync(join(familyPath(folder), 'golden.json'), 'utf8')) as FamilyGolden;

/** Configuration and float32 weights of a fixture. */
export async function familyModel(
  folder: FamilyFolder,
  cacheDirectory: string,
): Promise<{ readonly config: ModelConfig; readonly weights: WeightsFile }> {
  const checkpoint = await openCheckpoint(familyPath(folder));
  try {
    return { config: checkpoint.config, weights: await prepareFloat32Weights(checkpoint, { cacheDirectory }) };
  } finally {
    await checkpoint.close();
  }
}

export interface FamilyRun {
  /** [position][vocabulary] */
  readonly logits: readonly Float32Array[];
  /** Canonical hook point → [tokens, width]; [heads, tokens, keys] of attention's scores and pattern. */
  readonly taps: ReadonlyMap<string, Float32Array>;
}

/** Runs tokens through one slot, `size` at a time from position 0 on. */
export async function runInChunks(
  executor: Executor,
  tokens: readonly number[],
  size: number,
  taps: readonly string[] = [],
): Promise<FamilyRun> {
  const logits: Float32Array[] = [];
  const parts = new Map<string, number[]>(taps.map((name) => [name, []]));
  const byKeys = new PatternPieces(tokens.length);
  for (let start = 0; start < tokens.length; start += size) {
    const row = familyRow(0, tokens.slice(start, start + size), start, taps);
    const [result] = await executor.run({ kind: 'prefill', rows: [{ ...row, logits: 'all' }] });
    for (const entry of result?.logits ?? []) logits.push(entry.full().slice());
    for (const [name, values] of result?.taps ?? []) {
      if (showsKeys(name)) byKeys.add(name, values, start, row.tokens.length);
      else for (const value of values) parts.get(name)?.push(value);
    }
  }
  const whole = [...parts].map(
    ([name, values]) => [name, byKeys.whole.get(name) ?? Float32Array.from(values)] as const,
  );
  return { logits, taps: new Map(whole) };
}

/** One row of a step, with the logits of its last token. */
export function familyRow(
  slot: number,
  tokens: readonly number[],
  start: number,
  taps: readonly string[] = [],
): RowStep {
  return { requestId: `${slot}`, slot, tokens: Int32Array.from(tokens), start, logits: 'last', edits: [], taps };
}

/** Logits that transformers gives at a position. */
export function goldenLogits({ logits }: FamilyCase, position: number): Float32Array {
  const [, width = 0] = logits.shape;
  return floats(logits.data).subarray(position * width, (position + 1) * width);
}

/** Largest difference from transformers over the logits of all positions. */
export function logitsDifference(run: FamilyRun, golden: FamilyCase): number {
  return Math.max(...run.logits.map((row, at) => largestDifference(row, goldenLogits(golden, at))));
}

/** A golden figure's residual-stream hook points under their canonical spelling. */
export function streamHooks(golden: FamilyCase, config: ModelConfig): Map<string, string> {
  const names = Object.keys(golden.hooks).filter((name) => name === 'hook_embed' || /\.hook_resid_\w+$/.test(name));
  return new Map(names.map((name) => [name, formatHookPoint(canonicalHookPoint(parseHookPoint(name, config)))]));
}

/** Every hook point of a golden figure under its canonical spelling. */
export function allHooks(golden: FamilyCase, config: ModelConfig): Map<string, string> {
  const stream = streamHooks(golden, config);
  return new Map(Object.keys(golden.hooks).map((name) => [name, stream.get(name) ?? name]));
}

/** Largest difference of a tap from transformers' figure at the positions kept, over the figure's largest value. */
export function tapDifference(tap: Float32Array, golden: FamilyCase, name: string): number {
  const figure = golden.hooks[name] as GoldenArray;
  const want = floats(figure.data);
  const got = showsKeys(name) ? keptByHead(tap, golden, figure) : keptByToken(tap, golden, figure);
  const size = want.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
  return largestDifference(Float32Array.from(got), want) / size;
}

function keptByToken(tap: Float32Array, { positions }: FamilyCase, { shape }: GoldenArray): number[] {
  const width = shape.slice(1).reduce((product, size) => product * size, 1);
  return positions.flatMap((position) => [...tap.subarray(position * width, (position + 1) * width)]);
}

/** Of [heads, tokens, keys], all tokens from position 0 on. */
function keptByHead(tap: Float32Array, { positions }: FamilyCase, { shape }: GoldenArray): number[] {
  const [heads = 0, , keys = 0] = shape;
  const tokens = tap.length / heads / keys;
  return Array.from({ length: heads }, (_, head) => head * tokens).flatMap((first) => {
    return positions.flatMap((at) => [...tap.subarray((first + at) * keys, (first + at + 1) * keys)]);
  });
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers are compared with ${b.length}.`);
  return a.reduce((most, value, i) => {
    // infinities are equal where they are the same
    const difference = value === b[i] ? 0 : Math.abs(value - (b[i] as number));
    return difference >= 0 ? Math.max(most, difference) : Number.POSITIVE_INFINITY;
  }, 0);
}
