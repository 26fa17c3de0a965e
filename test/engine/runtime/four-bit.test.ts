import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Checkpoint,
  type FourBitLocation,
  openCheckpoint,
  prepareFloat32Weights,
  prepareFourBitWeights,
  type WeightsFile,
} from '../../../engine/checkpoint/index.ts';
import type { Edit, Executor } from '../../../engine/core/index.ts';
import { compileDecoder } from '../../../engine/graph/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';

const fixture = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
let checkpoint: Checkpoint;
let weights: WeightsFile;
let fourBit: ReadonlyMap<string, FourBitLocation>;
let dense: Executor;
let blocks: Executor;
beforeAll(async () => {
  const cacheDirectory = mkdtempSync(join(tmpdir(), 'tiller-four-bit-'));
  checkpoint = await openCheckpoint(fixture);
  weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
  fourBit = await prepareFourBitWeights(checkpoint, { cacheDirectory });
  const common = { config: checkpoint.config, weights, slots: 2, context: 64, threads: 2 };
  dense = await openExecutor(common);
  blocks = await openExecutor({ ...common, fourBit });
});
afterAll(async () => {
  await dense.close();
  await blocks.close();
  await checkpoint.close();
});

const site = 'blocks.1.hook_resid_post';
const edit = (): Edit => ({
  hookPoint: site,
  read: { direction: new Float32Array(checkpoint.config.dModel).fill(0.1), bias: 0, threshold: 0 },
  coefficient: { beta: 1, gamma: 0.5, low: -9, high: 9 },
  write: new Float32Array(checkpoint.config.dModel).map((_, i) => Math.sin(i)),
  positions: 'all',
  skipSpecial: false,
  activeAbove: -Infinity,
  sinkNorm: Infinity,
});

async function tokenByToken(executor: Executor, tokens: readonly number[], steered: boolean) {
  const out: { logits: Float32Array; tap: Float32Array }[] = [];
  for (const [start, token] of tokens.entries()) {
    const edits = steered ? [{ edit: edit(), mask: Float32Array.of(1) }] : [];
    const row = {
      requestId: 'r',
      slot: 0,
      tokens: Int32Array.of(token),
      start,
      logits: 'last',
      edits,
      taps: [site],
    } as const;
    const [result] = await executor.run({ kind: 'decode', rows: [row] });
    const [logits, tap] = [result?.logits[0]?.full(), result?.taps.get(site)];
    if (!logits || !tap) throw new Error('the executor returned no logits or no tap');
    out.push({ logits: logits.slice(), tap });
  }
  return out;
}

describe('steps of one token over four-bit blocks', () => {
  it.each([false, true])('give what the float32 weights give (steered: %s)', async (steered) => {
    const tokens = [1, 9, 200, 17, 33, 5, 77, 310];
    const expected = await tokenByToken(dense, tokens, steered);
    const got = await tokenByToken(blocks, tokens, steered);
    for (const [t, { logits, tap }] of expected.entries()) {
      const largest = logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const [i, value] of logits.entries()) {
        expect(Math.abs((got[t]?.logits[i] as number) - value)).toBeLessThan(2e-5 * Math.max(1, largest));
      }
      for (const [i, value] of tap.entries()) expect(got[t]?.tap[i]).toBeCloseTo(value, 3);
    }
  });

  it('read every four-bit matrix as blocks, and none of them as float32', () => {
    expect(fourBit.size).toBeGreaterThan(6);
    const sites = { edits: new Set<string>(), taps: new Set<string>() };
    const graph = compileDecoder(checkpoint.config, 64, sites, new Set(fourBit.keys()));
    expect(graph.operators.filter(({ operator }) => operator === 'MatMulNBits')).toHaveLength(fourBit.size);
    for (const name of fourBit.keys()) expect(graph.weights.has(name)).toBe(false);
    const plain = compileDecoder(checkpoint.config, 64, sites);
    expect(plain.operators.some(({ operator }) => operator === 'MatMulNBits')).toBe(false);
  });
});
