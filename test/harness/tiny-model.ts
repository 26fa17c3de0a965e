import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WeightsFile } from '../../engine/checkpoint/index.ts';
import { type ModelConfig, plainFeatures } from '../../engine/core/index.ts';
import { compileDecoder } from '../../engine/graph/index.ts';

/** A llama of two blocks with random weights, for tests of the machinery that need no checkpoint. */
export const tinyConfig: ModelConfig = {
  ...plainFeatures({ blocks: 2, headDim: 16 }, 10_000),
  family: 'llama',
  dModel: 32,
  blocks: 2,
  heads: 4,
  keyValueHeads: 2,
  headDim: 16,
  mlpWidth: 48,
  vocabularySize: 300,
  contextLength: 64,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
  bosTokenId: null,
  eosTokenIds: [2],
};

/** Deterministic uniform numbers in [−0.5, 0.5) (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 - 0.5;
  };
}

/** Writes random weights of the model's shapes to a temporary file. Norm weights lie around one. */
export function writeTinyWeights(config: ModelConfig = tinyConfig, seed = 1): WeightsFile {
  const next = randomNumbers(seed);
  const { weights } = compileDecoder(config, config.contextLength, { edits: new Set(), taps: new Set() });
  const path = join(mkdtempSync(join(tmpdir(), 'tiller-tiny-')), 'weights.bin');
  const tensors = new Map<string, { path: string; offset: number; byteLength: number; shape: readonly number[] }>();
  const parts: Float32Array[] = [];
  let offset = 0;
  for (const [name, shape] of weights) {
    if (name.startsWith('rotary.')) continue;
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) values[i] = shape.length === 1 ? 1 + next() * 0.2 : next();
    tensors.set(name, { path, offset, byteLength: values.byteLength, shape });
    parts.push(values);
    offset += values.byteLength;
  }
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part.buffer))));
  return { tensors, hash: `tiny-${seed}` };
}
