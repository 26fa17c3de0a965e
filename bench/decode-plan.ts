import { join } from 'node:path';
import { cacheDirectory, peersDirectory } from './checkout.ts';
import type { StoredType } from './encode-weights.ts';

export interface DecodeSettings {
  readonly rounds: number;
  readonly promptTokens: number;
  /** Tokens that each row generates in a round: one row, and several. */
  readonly steps: number;
  readonly batchSteps: number;
  readonly batches: readonly number[];
  readonly prefills: readonly number[];
  readonly steeringRows: readonly number[];
  readonly threads: number;
}

export const editCounts = [0, 1, 8] as const;

/** An engine with a precision, in a process of its own. */
export interface EngineChoice {
  readonly id: string;
  readonly script: string;
  /** The GGUF file to write for it; null: the model's own file. */
  readonly stored: StoredType | null;
}

const llama = join(peersDirectory, 'llama.mjs');
const tillerWorker = join(import.meta.dirname, 'workers', 'tiller.js');

export const engines: readonly EngineChoice[] = [
  { id: 'tiller-f32', script: tillerWorker, stored: null },
  // Without four-bit blocks to read: every step is over float32 weights.
  { id: 'tiller-f32-file', script: tillerWorker, stored: 'F32' },
  { id: 'llama.cpp-bf16', script: llama, stored: 'BF16' },
  { id: 'llama.cpp-f32', script: llama, stored: 'F32' },
  { id: 'llama.cpp-q8_0', script: llama, stored: 'Q8_0' },
  { id: 'llama.cpp-q4_1', script: llama, stored: null },
];

export const storedFile = (hash: string, type: StoredType) =>
  join(cacheDirectory, 'bench', `${hash.slice(0, 16)}.${type.toLowerCase()}.v1.gguf`);

/** One thing that is timed in every round. */
export interface Measurement {
  readonly engine: string;
  readonly kind: 'decode' | 'prefill' | 'steering';
  /** `engine`, with `/model` where only the model is timed: no sampling, no queue. */
  readonly variant: string;
  readonly path: 'model' | 'service';
  readonly rows: number;
  readonly edits: number;
  readonly promptTokens: number;
  readonly steps: number;
}

/**
 * All that is measured, in groups; within a group the measurements take turns. Tiller and llama.cpp BF16, and what is steered,
 * are measured at every number of rows; the other precisions at one row.
 */
export function planMeasurements(settings: DecodeSettings): Measurement[][] {
  const { promptTokens, steps, batchSteps, batches, prefills, steeringRows } = settings;
  const measurement = (engine: string, rest: Partial<Measurement>): Measurement => {
    const base = { kind: 'decode', path: 'service', rows: 1, edits: 0, promptTokens } as const;
    const whole = { engine, ...base, steps: (rest.rows ?? 1) > 1 ? batchSteps : steps, ...rest };
    return { ...whole, variant: whole.path === 'model' ? `${engine}/model` : engine };
  };
  const [tiller, bf16] = ['tiller-f32', 'llama.cpp-bf16'];
  const others = engines.map(({ id }) => id).filter((id) => id !== tiller && id !== bf16);
  const one = [
    measurement(tiller, { path: 'service' }),
    measurement(bf16, { path: 'service' }),
    measurement(tiller, { path: 'model' }),
    measurement(bf16, { path: 'model' }),
    ...others.map((id) => measurement(id, {})),
  ];
  const several = batches
    .filter((rows) => rows > 1)
    .map((rows) => [measurement(tiller, { path: 'model', rows }), measurement(bf16, { path: 'model', rows })]);
  const prompts = prefills.map((tokens) =>
    engines.map(({ id }) => measurement(id, { kind: 'prefill', promptTokens: tokens, steps: 1 })),
  );
  const steering = steeringRows.map((rows) =>
    editCounts.map((edits) => measurement(tiller, { kind: 'steering', path: 'model', rows, edits })),
  );
  return [one, ...several, ...prompts, ...steering];
}
