import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const folder = resolve(import.meta.dirname, '..', 'fixtures', 'golden');

/** Figures of Hugging Face transformers and SAELens (test/fixtures/golden/make_golden.py). */
export interface GoldenLogits {
  readonly top_ids: readonly number[];
  readonly top_values: string;
  readonly logsumexp: number;
  readonly mean: number;
}
export interface GoldenForward {
  readonly name: string;
  readonly ids: readonly number[];
  readonly taps_last_position: Readonly<Record<string, string>>;
  readonly tap_norms: Readonly<Record<string, string>>;
  readonly logits_last: GoldenLogits;
  readonly token_logprobs: string;
}
export interface GoldenGreedy {
  readonly name: string;
  readonly ids: readonly number[];
  readonly continuation: readonly number[];
  readonly text: string;
  readonly smallest_margin: number;
}
export interface GoldenEdit {
  readonly feature?: number;
  readonly vector?: string;
  readonly hook_point?: string;
  readonly mode: 'add' | 'set' | 'pin' | 'scale' | 'ablate' | 'floor' | 'cap' | 'orthogonal';
  readonly strength?: number;
  readonly value?: number;
  readonly factor?: number;
  readonly positions?: 'all' | 'last' | { readonly from: number; readonly to: number };
}
export interface GoldenSteering {
  readonly name: string;
  readonly ids: readonly number[];
  readonly edits: readonly GoldenEdit[];
  readonly logits_last: GoldenLogits;
  readonly kl_steered_from_unsteered: number;
}
export interface GoldenEncoding {
  readonly name: string;
  readonly ids: readonly number[];
  /** For positions 1…: pairs of feature and value. */
  readonly features_by_position: readonly (readonly (readonly [number, number])[])[];
}

const read = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;

export const goldenModel = () =>
  read<{
    readonly tokenizer: readonly { readonly text: string; readonly ids: readonly number[] }[];
    readonly forward: readonly GoldenForward[];
    readonly greedy: readonly GoldenGreedy[];
  }>('smollm2.json');
export const goldenSteering = () => read<{ readonly cases: readonly GoldenSteering[] }>('steering.json').cases;
/** What SAELens encodes: of 17-res-4k all prompts, of the other bundled sources the short ones. */
export const goldenEncodings = (file: 'sae.json' | 'sae-8-res-4k.json' | 'sae-25-res-4k.json') =>
  read<{ readonly cases: readonly GoldenEncoding[] }>(file).cases;

/** Base64 of little-endian float32. */
export function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Largest difference of a row of logits from the 50 largest that transformers gives. */
export function logitsDifference(logits: Float32Array, golden: GoldenLogits): number {
  const values = floats(golden.top_values);
  return golden.top_ids.reduce(
    (most, id, i) => Math.max(most, Math.abs((logits[id] ?? NaN) - (values[i] as number))),
    0,
  );
}

/** ‖a − b‖ / ‖b‖ */
export function relativeDifference(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(difference / size);
}
