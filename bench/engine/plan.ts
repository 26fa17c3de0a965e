import { join } from 'node:path';
import { cacheDirectory, peersDirectory } from '../checkout.ts';
import type { StoredType } from '../weights/encode-weights.ts';
import { type Level, levels } from '../workers/protocol.ts';

export interface EngineSettings {
  readonly rounds: number;
  readonly promptTokens: number;
  /** Tokens that each row generates in a round: one row, and several. */
  readonly steps: number;
  readonly batchSteps: number;
  readonly batches: readonly number[];
  readonly prefills: readonly number[];
  readonly threads: number;
}

/** An engine with a precision, in a process of its own. */
export interface EngineChoice {
  readonly id: string;
  readonly script: string;
  readonly peer: boolean;
  /** What Tiller computes in; peers compute in what their file holds. */
  readonly precision: string;
  /** The GGUF file to write for it; null: the model's own file. */
  readonly stored: StoredType | null;
  /** Measured at one row only: it is there for orientation. */
  readonly oneRow: boolean;
}

const tiller = (id: string, precision: string, more: Partial<EngineChoice> = {}): EngineChoice => {
  const script = join(import.meta.dirname, '..', 'workers', 'tiller.js');
  return { id, script, peer: false, precision, stored: null, oneRow: false, ...more };
};
const llama = (id: string, stored: StoredType | null): EngineChoice => {
  const script = join(peersDirectory, 'llama.mjs');
  return { id, script, peer: true, precision: stored ?? 'Q4_1', stored, oneRow: false };
};

export const engineChoices: readonly EngineChoice[] = [
  tiller('tiller-f32', 'f32'),
  tiller('tiller-int8', 'int8'),
  tiller('tiller-blocks', 'blocks'),
  // without four-bit blocks to read in steps of one row: every step is over float32 weights
  tiller('tiller-f32-file', 'f32', { stored: 'F32', oneRow: true }),
  llama('llama.cpp-bf16', 'BF16'),
  llama('llama.cpp-q8_0', 'Q8_0'),
  llama('llama.cpp-q4_0', 'Q4_0'),
  llama('llama.cpp-q4_1', null),
];

export const storedFile = (hash: string, type: StoredType) =>
  join(cacheDirectory, 'bench', `${hash.slice(0, 16)}.${type.toLowerCase()}.v1.gguf`);

/** One thing that is timed in every round. */
export interface Measurement {
  readonly engine: string;
  readonly kind: 'decode' | 'prefill';
  readonly level: Level;
  readonly rows: number;
  readonly promptTokens: number;
  readonly steps: number;
}

/** All that is measured, in groups; within a group, which is one row of work for all engines at one level, the engines take turns. */
export function planMeasurements(settings: EngineSettings, engines: readonly EngineChoice[]): Measurement[][] {
  const { promptTokens, steps, batchSteps, batches, prefills } = settings;
  const all = engines.filter(({ oneRow }) => !oneRow);
  const decode = batches.flatMap((rows) =>
    levels.map((level) =>
      (rows === 1 ? engines : all).map(({ id }) => {
        const length = rows === 1 ? steps : batchSteps;
        return { engine: id, kind: 'decode', level, rows, promptTokens, steps: length } as const;
      }),
    ),
  );
  const prefill = prefills.flatMap((tokens) =>
    levels.map((level) =>
      all.map(({ id }) => ({ engine: id, kind: 'prefill', level, rows: 1, promptTokens: tokens, steps: 1 }) as const),
    ),
  );
  return [...decode, ...prefill];
}
