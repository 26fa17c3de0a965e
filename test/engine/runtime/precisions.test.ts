import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Checkpoint,
  linearGroups,
  openCheckpoint,
  prepareBlockWeights,
  prepareFloat32Weights,
  prepareInt8Weights,
} from '../../../engine/checkpoint/index.ts';
import type { Executor, RowStep } from '../../../engine/core/index.ts';
import { type Precision, precisions } from '../../../engine/core/index.ts';
import { compileDecoder } from '../../../engine/graph/index.ts';
import { loadModel } from '../../../engine/load-model.ts';
import { prepareLinears } from '../../../engine/precision.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { roundedToHalf } from '../../harness/half.ts';
import { temporaryCache, testKernels } from '../../harness/kernels.ts';
import { type ReferenceLinear, referenceLlama } from '../../harness/reference-llama.ts';
import { runPrompt } from '../../harness/run-prompt.ts';

const fixture = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const f32Fixture = resolve(import.meta.dirname, '../../fixtures/tiny-llama/f32');
const cacheDirectory = await temporaryCache('tiller-precisions-');
const ids = [1, 9, 200, 17, 33, 5, 77, 310, 41, 8];
/** Own operators, which keep keys and values in half precision but where nothing else is rounded, and ONNX Runtime's. */
const operatorChoices = ['auto', 'onnxruntime'] as const;
type OperatorChoice = (typeof operatorChoices)[number];
const kinds = operatorChoices.flatMap((operators) => precisions.map((precision) => ({ operators, precision })));
const executors = new Map<string, Executor>();
const tensors = new Map<string, Float32Array>();
let checkpoint: Checkpoint;

beforeAll(async () => {
  checkpoint = await openCheckpoint(fixture);
  for (const { name, shape } of checkpoint.tensors.values()) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    await checkpoint.readFloat32(name, values);
    tensors.set(name, values);
  }
  for (const { operators, precision } of kinds) {
    const how = { cacheDirectory, slots: 4, context: 64, threads: 2, operators, precision };
    const model = await loadModel({ path: fixture, ...how });
    executors.set(`${operators} ${precision}`, model.executor);
  }
});
afterAll(async () => {
  for (const executor of executors.values()) await executor.close();
  await checkpoint.close();
});

const tensor = (name: string): Float32Array => tensors.get(name) ?? new Float32Array();
const executorOf = (operators: OperatorChoice, precision: Precision): Executor =>
  executors.get(`${operators} ${precision}`) as Executor;
const halves = (operators: OperatorChoice, precision: Precision) => operators === 'auto' && precision !== 'f32';

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

/**
 * Rounding to 8 bits flips where a value lies half way, which one float32 operation more or less decides: a few such are let pass. A key
 * or value that falls to the other of two halves is off by 2^-11 of itself, less than such a flip.
 */
const allowed: Record<Precision, number> = { f32: 1e-4, int8: 2e-2, blocks: 2e-2 };
const allowedOfHalves = 1e-3;

/** Own operators multiply blocks in float32 arithmetic. */
const arithmeticOf = (operators: OperatorChoice, precision: Precision): Precision =>
  operators === 'auto' && precision === 'blocks' ? 'f32' : precision;

/** Logits in plain arithmetic; keys and values rounded to half precision or not. Made once: the arithmetic is plain, not fast. */
function referenceLogits(precision: Precision, half: boolean): readonly Float64Array[] {
  const name = `${precision} ${half}`;
  const found = made.get(name);
  if (found) return found;
  const stored = half ? roundedToHalf : undefined;
  const logits = referenceLlama(checkpoint.config, tensor, references[precision], ids, stored);
  made.set(name, logits);
  return logits;
}
const made = new Map<string, readonly Float64Array[]>();

describe.each(kinds)('$precision, operators $operators', ({ operators, precision }) => {
  it('computes what its arithmetic says, and not what another says', async () => {
    const executor = executorOf(operators, precision);
    const half = halves(operators, precision);
    const { blocks, keyValueHeads, headDim } = checkpoint.config;
    expect(executor.tokenBytes).toBe(2 * blocks * keyValueHeads * headDim * (half ? 2 : 4));
    const run = await runPrompt(executor, ids, { logits: 'all' });
    const difference = (other: Precision, otherHalf: boolean) => {
      const all = referenceLogits(other, otherHalf).map((logits, t) => {
        return largestDifference(run.logits[t] as Float32Array, logits);
      });
      return all.sort((a, b) => a - b)[Math.floor(all.length / 2)] as number;
    };
    const arithmetic = arithmeticOf(operators, precision);
    const own = difference(arithmetic, half);
    expect(own).toBeLessThan(half ? Math.max(allowed[arithmetic], allowedOfHalves) : allowed[arithmetic]);
    // The rounding of keys and values is seen as well: what the cache holds is that, and not what was put in.
    expect(difference(arithmetic, !half)).toBeGreaterThan(3 * own);
    for (const other of precisions) if (other !== arithmetic) expect(difference(other, half)).toBeGreaterThan(3 * own);
  });

  it('gives a batch what each row gets alone', async () => {
    const executor = executorOf(operators, precision);
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

it.each(precisions)(
  '%s with own operators: the same bits however a prompt is cut up, and in whatever batch',
  async (precision) => {
    // Sums over 8-bit products are exact, and everything else is done token by token or in an order that positions decide.
    const executor = executorOf('auto', precision);
    const row = (slot: number, from: number, to: number): RowStep => {
      const tokens = Int32Array.from(ids.slice(from, to));
      return { requestId: `${slot}`, slot, tokens, start: from, logits: 'last', edits: [], taps: [] };
    };
    const lastOf = async (kind: 'prefill' | 'decode', rows: readonly RowStep[]) => {
      const results = await executor.run({ kind, rows });
      return results.map(({ logits }) => logits[0]?.full().slice() ?? new Float32Array());
    };
    const [whole] = await lastOf('prefill', [row(0, 0, ids.length)]);
    for (const size of [1, 3, 7]) {
      let cut: Float32Array | undefined;
      for (let from = 0; from < ids.length; from += size) [cut] = await lastOf('prefill', [row(1, from, from + size)]);
      expect(largestDifference(cut ?? [], whole ?? []), `chunks of ${size}`).toBe(0);
    }
    for (const slot of [0, 1, 2]) await lastOf('prefill', [row(slot, 0, ids.length - 1 - slot)]);
    const rows = [0, 1, 2].map((slot) => row(slot, ids.length - 1 - slot, ids.length - slot));
    const [together] = await lastOf('decode', rows);
    expect(largestDifference(together ?? [], whole ?? [])).toBe(0);
  },
);

/** What own operators run over a cache of float32; int8 also as on processors where ONNX Runtime's 8-bit products are the fast ones. */
const overFloat32 = [
  { name: 'int8', precision: 'int8', prepare: async () => ownLinears('int8') },
  {
    name: "int8 by ONNX Runtime's products",
    precision: 'int8',
    prepare: async () => {
      return {
        linears: { stored: await prepareInt8Weights(checkpoint, { cacheDirectory }), blockInput: 'int8' },
      } as const;
    },
  },
  { name: 'blocks', precision: 'f32', prepare: async () => ownLinears('blocks') },
] as const;
const ownLinears = async (precision: Precision) =>
  prepareLinears(precision, checkpoint, await testKernels(), { cacheDirectory });

it.each(overFloat32)('$name with own operators over a cache of float32', async ({ precision, prepare }) => {
  const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
  const linears = await prepare();
  const how = { slots: 1, context: 64, threads: 1, kernels: await testKernels(), keyValueType: 'float32' } as const;
  const executor = await openExecutor({ config: checkpoint.config, weights, ...linears, ...how });
  const { logits } = await runPrompt(executor, ids, { logits: 'all' });
  await executor.close();
  const differences = referenceLogits(precision, false).map((want, t) => largestDifference(logits[t] ?? [], want));
  expect(differences.sort((a, b) => a - b)[Math.floor(ids.length / 2)]).toBeLessThan(allowed[precision]);
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
