import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, prepareFloat32Weights, type WeightsFile } from '../../../engine/checkpoint/index.ts';
import {
  canonicalHookPoint,
  type Executor,
  formatHookPoint,
  listHookPoints,
  parseHookPoint,
} from '../../../engine/core/index.ts';
import { type LoadedModel, loadModel } from '../../../engine/load-model.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { floats } from '../../harness/golden.ts';
import { temporaryCache, testKernels } from '../../harness/kernels.ts';
import { runPrompt } from '../../harness/run-prompt.ts';

/** What Hugging Face transformers computes with the fixture (test/fixtures/tiny-llama/README.md). */
interface Golden {
  readonly cases: readonly {
    readonly ids: readonly number[];
    readonly logits: string;
    readonly stream: Readonly<Record<string, string>>;
  }[];
}

const fixtures = resolve(import.meta.dirname, '../../fixtures/tiny-llama');
const formats = [
  { folder: 'f32', path: 'f32', tied: true, inPlace: true },
  { folder: 'bf16-sharded', path: 'bf16-sharded', tied: false, inPlace: false },
  { folder: 'gguf', path: 'gguf/tiny-llama.gguf', tied: true, inPlace: false },
] as const;
const cacheDirectory = await temporaryCache('tiller-checkpoints-');
const goldenOf = (folder: string) => JSON.parse(readFileSync(join(fixtures, folder, 'golden.json'), 'utf8')) as Golden;
const { blocks, names } = { blocks: 3, names: listHookPoints(3) };
const canonical = (name: string) => formatHookPoint(canonicalHookPoint(parseHookPoint(name, blocks)));
const taps = [...new Set(names.map(canonical))];

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

/** Largest difference of the logits from transformers over all cases. */
async function logitsDifference(executor: Executor, golden: Golden): Promise<number> {
  let most = 0;
  for (const { ids, logits } of golden.cases) {
    const run = await runPrompt(executor, ids, { logits: 'all' });
    const width = floats(logits).length / ids.length;
    for (const [t, row] of run.logits.entries()) {
      most = Math.max(most, largestDifference(row, floats(logits).subarray(t * width, (t + 1) * width)));
    }
  }
  return most;
}

const loads = formats.flatMap((format) =>
  (['auto', 'onnxruntime'] as const).map((operators) => ({ ...format, operators })),
);

describe.each(loads)('$folder through loadModel, operators $operators', ({ folder, path, tied, operators }) => {
  const golden = goldenOf(folder);
  let model: LoadedModel;
  beforeAll(async () => {
    const how = { cacheDirectory, slots: 2, context: null, threads: 1, operators };
    model = await loadModel({ path: join(fixtures, path), ...how });
  });
  afterAll(() => model.executor.close());

  it('gives the logits of transformers at every position', async () => {
    expect(model.kernels.library !== null).toBe(operators === 'auto');
    expect(model.config).toMatchObject({ blocks, dModel: 64, vocabularySize: 512, tiedEmbeddings: tied });
    expect(golden.cases.map(({ ids }) => ids.length)).toEqual([1, 7, 40]);
    expect(await logitsDifference(model.executor, golden)).toBeLessThan(1e-4);
  });

  it('gives the stream of transformers at every hook point', async () => {
    for (const { ids, stream } of golden.cases) {
      expect(Object.keys(stream).sort()).toEqual([...names].sort());
      const run = await runPrompt(model.executor, ids, { taps });
      for (const name of names) {
        const tap = run.taps.get(canonical(name));
        expect(largestDifference(tap as Float32Array, floats(stream[name] as string)), name).toBeLessThan(1e-4);
      }
    }
  });

  it('keeps the identities of the stream: one place under two names, and sublayers that do something', async () => {
    const { ids, stream } = golden.cases[1] as Golden['cases'][number];
    for (let block = 1; block < blocks; block++) {
      // The same in transformers, so that one canonical spelling loses nothing.
      const [pre, post] = [stream[`blocks.${block}.hook_resid_pre`], stream[`blocks.${block - 1}.hook_resid_post`]];
      expect(pre).toBe(post);
    }
    const run = await runPrompt(model.executor, ids, { taps });
    const at = (name: string) => run.taps.get(name) as Float32Array;
    expect(at('blocks.0.hook_resid_pre')).toEqual(at('hook_embed'));
    for (let k = 2; k < taps.length; k++) {
      expect(largestDifference(at(taps[k] as string), at(taps[k - 1] as string))).toBeGreaterThan(1e-2);
    }
  });
});

describe('a wrong layout is seen', () => {
  it('loads the weights that the formats hold: in place where they are float32', async () => {
    for (const { folder, path, inPlace } of formats) {
      const { tensors } = await weightsOf(path);
      const files = new Set([...tensors.values()].map((tensor) => tensor.path));
      expect([...files].some((file) => file.startsWith(join(fixtures, folder)))).toBe(inPlace);
    }
  });

  it.each(['q_proj', 'k_proj'])('%s permuted as in a GGUF file gives other logits', async (name) => {
    const right = await weightsOf('f32');
    const wrong = permuted(right, name, 16);
    const checkpoint = await openCheckpoint(join(fixtures, 'f32'));
    const { config } = checkpoint;
    await checkpoint.close();
    const golden = goldenOf('f32');
    for (const { weights, least, most } of [
      { weights: right, least: 0, most: 1e-4 },
      { weights: wrong, least: 1e-2, most: Infinity },
    ]) {
      const kernels = await testKernels();
      const executor = await openExecutor({ config, weights, slots: 1, context: 64, threads: 1, kernels });
      const difference = await logitsDifference(executor, golden);
      await executor.close();
      expect(difference).toBeGreaterThanOrEqual(least);
      expect(difference).toBeLessThan(most);
    }
  });
});

async function weightsOf(path: string): Promise<WeightsFile> {
  const checkpoint = await openCheckpoint(join(fixtures, path));
  try {
    return await prepareFloat32Weights(checkpoint, { cacheDirectory });
  } finally {
    await checkpoint.close();
  }
}

/** The weights with the rows of one projection in llama.cpp's order: halves of a head interleaved (convert_hf_to_gguf.py, `permute`). */
function permuted(weights: WeightsFile, projection: string, headDim: number): WeightsFile {
  const tensors = new Map(weights.tensors);
  for (const [name, tensor] of weights.tensors) {
    if (!name.includes(projection)) continue;
    const [rows = 0, width = 0] = tensor.shape;
    const source = readFileSync(tensor.path).subarray(tensor.offset, tensor.offset + tensor.byteLength);
    const target = Buffer.alloc(source.length);
    const rowBytes = width * 4;
    for (let row = 0; row < rows; row++) {
      const within = row % headDim;
      const from = row - within + (within % 2) * (headDim / 2) + (within >> 1);
      source.copy(target, row * rowBytes, from * rowBytes, (from + 1) * rowBytes);
    }
    const path = join(cacheDirectory, `${name}.permuted`);
    writeFileSync(path, target);
    tensors.set(name, { ...tensor, path, offset: 0 });
  }
  return { tensors, hash: `${weights.hash}-permuted` };
}
