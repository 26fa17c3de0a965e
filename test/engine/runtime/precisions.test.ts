import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Checkpoint,
  linearGroups,
  openCheckpoint,
  prepareBlockWeights,
} from '../../../engine/checkpoint/index.ts';
import type { Executor, RowStep } from '../../../engine/core/index.ts';
import { type Precision, precisions } from '../../../engine/core/index.ts';
import { compileDecoder } from '../../../engine/graph/index.ts';
import { loadModel } from '../../../engine/load-model.ts';
import { type ReferenceLinear, referenceLlama } from '../../harness/reference-llama.ts';
import { runPrompt } from '../../harness/run-prompt.ts';

const fixture = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const f32Fixture = resolve(import.meta.dirname, '../../fixtures/tiny-llama/f32');
const cacheDirectory = mkdtempSync(join(tmpdir(), 'tiller-precisions-'));
const ids = [1, 9, 200, 17, 33, 5, 77, 310, 41, 8];
const executors = new Map<Precision, Executor>();
const tensors = new Map<string, Float32Array>();
let checkpoint: Checkpoint;

beforeAll(async () => {
  checkpoint = await openCheckpoint(fixture);
  for (const { name, shape } of checkpoint.tensors.values()) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    await checkpoint.readFloat32(name, values);
    tensors.set(name, values);
  }
  for (const precision of precisions) {
    const model = await loadModel({ path: fixture, cacheDirectory, slots: 4, context: 64, threads: 2, precision });
    executors.set(precision, model.executor);
  }
});
afterAll(async () => {
  for (const executor of executors.values()) await executor.close();
  await checkpoint.close();
});

const tensor = (name: string): Float32Array => tensors.get(name) ?? new Float32Array();
const executorOf = (precision: Precision): Executor => executors.get(precision) as Executor;

/** The rows of all matrices of a group, each with the type it is stored in. */
function rowsOf(group: string): { readonly row: Float32Array; readonly type: string }[] {
  const weights = linearGroups(checkpoint.config).find(({ name }) => name === group)?.weights ?? [];
  return weights.flatMap((name) => {
    const { shape, type } = checkpoint.tensors.get(name) ?? { shape: [0, 0], type: '' };
    const [out = 0, width = 0] = shape;
    return Array.from({ length: out }, (_, i) => ({ row: tensor(name).subarray(i * width, (i + 1) * width), type }));
  });
}

/** x rounded to signed 8-bit numbers with one scale for every `block` values, as numbers again. */
function rounded(x: Float64Array, block: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += block) {
    const values = x.subarray(from, from + block);
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    values.forEach((value, i) => {
      out[from + i] = scale === 0 ? 0 : Math.round(value / scale) * scale;
    });
  }
  return out;
}

const dot = (x: Float64Array, row: ArrayLike<number>) =>
  x.reduce((sum, value, i) => sum + value * (row[i] as number), 0);

/** The three precisions in plain arithmetic. Four-bit offsets multiply the unrounded input: only what MatMulNBits takes is rounded. */
const references: Record<Precision, ReferenceLinear> = {
  f32: (group, x) => Float64Array.from(rowsOf(group), ({ row }) => dot(x, row)),
  int8: (group, x) => {
    const quantised = rounded(x, x.length);
    return Float64Array.from(rowsOf(group), ({ row }) => dot(quantised, rounded(Float64Array.from(row), row.length)));
  },
  // A group whose matrices are of several types stays float32.
  blocks: (group, x) => {
    if (new Set(rowsOf(group).map(({ type }) => type)).size > 1) return references.f32(group, x);
    const quantised = rounded(x, 32);
    return Float64Array.from(rowsOf(group), ({ row, type }) => {
      if (type === 'Q8_0') return dot(quantised, row);
      if (type !== 'Q4_1') return dot(x, row);
      return dot(quantised, row) + offsetsDot(x, row) - offsetsDot(quantised, row);
    });
  },
};

/** Σ offset_b·Σ x: of 16 evenly spaced values, offset is the ninth from below. */
function offsetsDot(x: Float64Array, row: Float32Array): number {
  let total = 0;
  for (let from = 0; from < row.length; from += 32) {
    const block = row.subarray(from, from + 32);
    const sum = x.subarray(from, from + 32).reduce((all, value) => all + value, 0);
    total += sum * offsetOf(block);
  }
  return total;
}

/** m + 8d of a block, looked up by where its dequantised weights lie. */
function offsetOf(block: Float32Array): number {
  const known = offsets.get(block.byteOffset);
  if (known === undefined) throw new Error('a block that was not read');
  return known;
}
const offsets = new Map<number, number>();

beforeAll(async () => {
  // The offsets of each block, by where its dequantised weights lie: a Float32Array of the test's own, so offsets are unique per tensor.
  let base = 0;
  const all = new Float32Array([...tensors.values()].reduce((sum, values) => sum + values.length, 0));
  for (const [name, values] of tensors) {
    all.set(values, base);
    tensors.set(name, all.subarray(base, base + values.length));
    const blocks = await checkpoint.readFourBitBlocks(name);
    blocks?.offsets.forEach((offset, b) => {
      offsets.set((base + b * 32) * 4, offset);
    });
    base += values.length;
  }
});

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

/** Rounding to 8 bits flips where a value lies half way, which one float32 operation more or less decides: a few such are let pass. */
const allowed: Record<Precision, number> = { f32: 1e-4, int8: 2e-2, blocks: 2e-2 };

describe.each(precisions)('%s', (precision) => {
  it('computes what its arithmetic says, and not what another says', async () => {
    const { config } = checkpoint;
    const run = await runPrompt(executorOf(precision), ids, { logits: 'all' });
    const difference = (other: Precision) => {
      const expected = referenceLlama(config, tensor, references[other], ids);
      const all = expected.map((logits, t) => largestDifference(run.logits[t] as Float32Array, logits));
      return all.sort((a, b) => a - b)[Math.floor(all.length / 2)] as number;
    };
    const own = difference(precision);
    expect(own).toBeLessThan(allowed[precision]);
    for (const other of precisions) if (other !== precision) expect(difference(other)).toBeGreaterThan(3 * own);
  });

  it('gives a batch what each row gets alone', async () => {
    const executor = executorOf(precision);
    const prompts = [ids, ids.slice(2), [5, 6, 7], [100, 3, 50, 60, 70]];
    const last = (slot: number, tokens: readonly number[], start: number): RowStep => {
      return {
        requestId: `r${slot}`,
        slot,
        tokens: Int32Array.from(tokens),
        start,
        logits: 'last',
        edits: [],
        taps: [],
      };
    };
    for (const [slot, prompt] of prompts.entries()) {
      await executor.run({ kind: 'prefill', rows: [last(slot, prompt, 0)] });
    }
    const rows = prompts.map((prompt, slot) => last(slot, [9 + slot], prompt.length));
    const together = (await executor.run({ kind: 'decode', rows })).map(({ logits }) => logits[0]?.full().slice());
    for (const [slot, row] of rows.entries()) {
      const [alone] = await executor.run({ kind: 'decode', rows: [row] });
      const full = alone?.logits[0]?.full() ?? new Float32Array();
      expect(largestDifference(full, together[slot] ?? [])).toBeLessThan(precision === 'f32' ? 1e-4 : 2e-2);
    }
  });
});

it('reads every stored matrix in its own form, and none of them as float32', async () => {
  const { forms, arrays } = await prepareBlockWeights(checkpoint, { cacheDirectory });
  expect(new Set(forms.values())).toEqual(new Set(['blocks4', 'blocks8']));
  const sites = { edits: new Set<string>(), taps: new Set<string>() };
  const graph = compileDecoder(checkpoint.config, 64, sites, { forms, blockInput: 'int8' });
  expect(graph.operators.filter(({ operator }) => operator === 'MatMulNBits')).toHaveLength(forms.size);
  for (const name of arrays.keys()) expect(graph.weights.has(name)).toBe(true);
  for (const { name, weights } of linearGroups(checkpoint.config)) {
    if (name === 'unembedding' || !forms.has(name)) continue;
    for (const weight of weights) expect(graph.weights.has(weight)).toBe(false);
  }
  const plain = compileDecoder(checkpoint.config, 64, sites);
  expect(plain.operators.some(({ operator }) => operator === 'MatMulNBits')).toBe(false);
});

it('refuses blocks where the checkpoint holds none', async () => {
  const loading = loadModel({
    path: f32Fixture,
    cacheDirectory,
    slots: 1,
    context: 64,
    threads: 1,
    precision: 'blocks',
  });
  await expect(loading).rejects.toMatchObject({ code: 'checkpoint_unsupported', param: 'precision' });
});
