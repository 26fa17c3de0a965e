import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  linearGroups,
  openCheckpoint,
  prepareFloat32Weights,
  prepareInt8Weights,
  type StoredArray,
  type StoredLinears,
  type WeightsFile,
} from '../../../engine/checkpoint/index.ts';
import type { ModelConfig } from '../../../engine/core/index.ts';
import { loadModel } from '../../../engine/load-model.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { changedWeights } from '../../harness/changed-weights.ts';
import {
  type FamilyCase,
  familyFolders,
  familyGolden,
  familyPath,
  familyRow,
  goldenLogits,
  largestDifference,
  logitsDifference,
  runInChunks,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';

const cacheDirectory = await temporaryCache('tiller-family-precisions-');
const sets = await operatorSets();
const loads = familyFolders.flatMap((folder) => sets.map((set) => ({ folder, ...set })));
/** Weights of one block, in all forms. */
const blockWidth = 32;

/** ‖a − b‖ / ‖b‖ over all positions of a case. */
function relative(logits: readonly Float32Array[], one: FamilyCase): number {
  let [difference, size] = [0, 0];
  for (const [at, row] of logits.entries()) {
    const want = goldenLogits(one, at);
    for (const [i, value] of row.entries()) {
      difference += (value - (want[i] ?? Number.NaN)) ** 2;
      size += (want[i] ?? Number.NaN) ** 2;
    }
  }
  return Math.sqrt(difference / size);
}

async function opened(folder: (typeof familyFolders)[number]) {
  const checkpoint = await openCheckpoint(familyPath(folder));
  const { config } = checkpoint;
  const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
  const int8 = await prepareInt8Weights(checkpoint, { cacheDirectory });
  await checkpoint.close();
  return { config, weights, int8 };
}

describe.each(loads)('$folder with the operators of $operators', ({ folder, kernels }) => {
  const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];

  it('int8 differs by its rounding and no more, whatever a prompt is cut into', async () => {
    const { config, weights, int8 } = await opened(folder);
    expect(int8.forms.size).toBe(linearGroups(config).length);
    const linears = { stored: int8, blockInput: 'int8' } as const;
    const keyValueType = kernels === null ? 'float32' : 'float16';
    const how = { slots: 2, context: 48, threads: 1, kernels, keyValueType } as const;
    const executor = await openExecutor({ config, weights, linears, ...how });
    try {
      const whole = await runInChunks(executor, long.ids, long.ids.length);
      expect(relative(whole.logits, long)).toBeGreaterThan(1e-3);
      expect(relative(whole.logits, long)).toBeLessThan(0.1);
      const cut = await runInChunks(executor, long.ids, 5);
      const allowed = kernels === null ? 5e-2 : 0;
      for (const [at, row] of cut.logits.entries()) {
        expect(largestDifference(row, whole.logits[at] ?? new Float32Array())).toBeLessThanOrEqual(allowed);
      }
      const rows = [long.ids.length - 1, 5].map((start, slot) => familyRow(slot, long.ids.slice(0, start), 0));
      for (const row of rows) await executor.run({ kind: 'prefill', rows: [row] });
      const next = rows.map(({ tokens, slot }) => familyRow(slot, [long.ids[tokens.length] ?? 0], tokens.length));
      const results = await executor.run({ kind: 'decode', rows: next });
      for (const [slot, { start }] of next.entries()) {
        const logits = results[slot]?.logits[0]?.full() ?? new Float32Array();
        expect(largestDifference(logits, whole.logits[start] ?? new Float32Array())).toBeLessThanOrEqual(allowed);
      }
    } finally {
      await executor.close();
    }
  });

  it.each(['blocks8', 'blocks4'] as const)('%s computes what its dequantised weights give', async (form) => {
    const { config, weights } = await opened(folder);
    const { stored, dequantised } = inBlocks(config, weights, form);
    const how = { config, slots: 1, context: 48, threads: 1, kernels };
    const linears = { stored, blockInput: 'float32' } as const;
    const [blocks, dense] = [
      await openExecutor({ ...how, weights, linears }),
      await openExecutor({ ...how, weights: dequantised }),
    ];
    try {
      const got = await runInChunks(blocks, long.ids, 7);
      const want = await runInChunks(dense, long.ids, 7);
      for (const [at, row] of got.logits.entries()) {
        expect(largestDifference(row, want.logits[at] ?? new Float32Array())).toBeLessThan(1e-4);
      }
      expect(relative(want.logits, long)).toBeGreaterThan(1e-3);
    } finally {
      await blocks.close();
      await dense.close();
    }
  });

  it('f32 as it is loaded to serve gives the logits of transformers', async () => {
    const operators = kernels === null ? 'onnxruntime' : 'auto';
    const how = { cacheDirectory, slots: 1, context: null, threads: 1, operators } as const;
    const model = await loadModel({ path: familyPath(folder), ...how });
    try {
      expect(model.operators).toBe(kernels === null ? 'onnxruntime' : 'tiller');
      for (const one of familyGolden(folder).cases) {
        for (const size of [one.ids.length, 5]) {
          expect(logitsDifference(await runInChunks(model.executor, one.ids, size), one), one.name).toBeLessThan(1e-4);
        }
      }
    } finally {
      await model.executor.close();
    }
  });

  it('refuses blocks by name where the files hold none', async () => {
    const how = { path: familyPath(folder), cacheDirectory, slots: 1, context: null, threads: 1 };
    const operators = kernels === null ? 'onnxruntime' : 'auto';
    await expect(loadModel({ ...how, operators, precision: 'blocks' })).rejects.toMatchObject({
      code: 'checkpoint_unsupported',
      param: 'precision',
    });
  });
});

/** All groups whose rows are whole blocks, quantised as checkpoint/stored-linears.ts says; and the float32 weights that these are. */
function inBlocks(config: ModelConfig, weights: WeightsFile, form: 'blocks4' | 'blocks8') {
  const folder = mkdtempSync(join(tmpdir(), 'tiller-blocks-'));
  const arrays = new Map<string, StoredArray>();
  const forms = new Map<string, 'blocks4' | 'blocks8'>();
  const replaced = new Map<string, Float32Array>();
  const put = (name: string, values: Uint8Array | Float32Array, shape: readonly number[]) => {
    const path = join(folder, `${arrays.size}.bin`);
    writeFileSync(path, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const type = values instanceof Uint8Array ? 'uint8' : 'float32';
    arrays.set(name, { location: { path, offset: 0, byteLength: values.byteLength, shape }, type });
  };
  for (const { name, weights: members } of linearGroups(config)) {
    const matrices = members.map((member) => ({ member, ...read(weights, member) }));
    const width = matrices[0]?.shape[1] ?? 0;
    if (width % blockWidth !== 0) continue;
    const all = Float32Array.from(matrices.flatMap(({ values }) => [...values]));
    const rows = all.length / width;
    const count = all.length / blockWidth;
    const bits = form === 'blocks4' ? 4 : 8;
    const middle = 2 ** (bits - 1);
    const quants = new Uint8Array((all.length * bits) / 8);
    const scales = new Float32Array(count);
    const offsets = new Float32Array(count);
    for (let b = 0; b < count; b++) {
      const block = all.subarray(b * blockWidth, (b + 1) * blockWidth);
      const most = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      const scale = Math.fround(most / (middle - 1));
      const offset =
        form === 'blocks4' ? Math.fround(block.reduce((sum, value) => sum + value, 0) / blockWidth / 2) : 0;
      scales[b] = scale;
      offsets[b] = offset;
      for (const [i, value] of block.entries()) {
        const rounded = Math.round((value - offset) / scale) + middle;
        const quant = Math.max(0, Math.min(2 * middle - 1, rounded));
        block[i] = Math.fround(scale * (quant - middle) + offset);
        const at = b * blockWidth + i;
        if (bits === 8) quants[at] = quant;
        else quants[at >> 1] = (quants[at >> 1] ?? 0) | (quant << (4 * (at & 1)));
      }
    }
    const perRow = width / blockWidth;
    put(`${name}.quants`, quants, [rows, perRow, (blockWidth * bits) / 8]);
    put(`${name}.scales`, scales, [rows, perRow]);
    if (form === 'blocks4') put(`${name}.offsets`, offsets, [rows, perRow]);
    forms.set(name, form);
    // A tied embedding stays as it is where tokens enter: only its product is computed over blocks.
    if (name === 'unembedding' && config.tiedEmbeddings) {
      forms.delete(name);
      continue;
    }
    let from = 0;
    for (const { member, values } of matrices) {
      replaced.set(member, all.slice(from, from + values.length));
      from += values.length;
    }
  }
  for (const name of arrays.keys()) if (!forms.has(name.replace(/\.\w+$/, ''))) arrays.delete(name);
  const stored: StoredLinears = { forms, arrays };
  return { stored, dequantised: changedWeights(weights, (name) => replaced.get(name) ?? null) };
}

function read(weights: WeightsFile, name: string) {
  const place = weights.tensors.get(name);
  if (!place) throw new Error(`no ${name}`);
  const bytes = readFileSync(place.path).subarray(place.offset, place.offset + place.byteLength);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return { values, shape: place.shape };
}
