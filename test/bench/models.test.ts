import { readFileSync } from 'node:fs';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../../bench/checkout.ts';
import { choices, chosen } from '../../bench/models/plan.ts';
import { RandomWeights } from '../../bench/models/random-weights.ts';
import { modelsResults } from '../../bench/models/results.ts';
import { type ModelShape, shapes } from '../../bench/models/shapes.ts';
import { modelsTables } from '../../bench/models/tables.ts';
import { writeRandomGguf } from '../../bench/models/write-gguf.ts';
import { writeRandomSafetensors } from '../../bench/models/write-safetensors.ts';
import { replaceTables } from '../../bench/replace-tables.ts';
import { readResults } from '../../bench/results.ts';
import { type Checkpoint, openCheckpoint } from '../../engine/checkpoint/index.ts';
import { loadModel } from '../../engine/index.ts';
import { temporaryFolder } from '../engine/checkpoint/fixtures.ts';
import { testKernels } from '../harness/kernels.ts';
import { modelsFixture } from './models-fixture.ts';

const seed = 3;

/** The same model, small: every other field as published. */
function inMiniature(name: string): ModelShape {
  const shape = shapes.find((each) => each.name === name);
  if (!shape) throw new Error(name);
  const sizes = { blocks: 2, width: 64, mlp: 96, heads: 4, keyValueHeads: 2, headDim: 32, context: 128 };
  const config = {
    ...shape.config,
    num_hidden_layers: sizes.blocks,
    hidden_size: sizes.width,
    intermediate_size: sizes.mlp,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.keyValueHeads,
    head_dim: sizes.headDim,
    max_position_embeddings: sizes.context,
    vocab_size: 512,
  };
  const integers = {
    ...shape.gguf.integers,
    block_count: sizes.blocks,
    context_length: sizes.context,
    embedding_length: sizes.width,
    feed_forward_length: sizes.mlp,
    'attention.head_count': sizes.heads,
    'attention.head_count_kv': sizes.keyValueHeads,
    'attention.key_length': sizes.headDim,
    'attention.value_length': sizes.headDim,
    ...('rope.dimension_count' in shape.gguf.integers ? { 'rope.dimension_count': sizes.headDim } : {}),
  };
  return { ...shape, config, gguf: { ...shape.gguf, integers } };
}

async function generated(name: string) {
  const shape = inMiniature(name);
  const folder = await temporaryFolder();
  const [published, gguf] = [join(folder, name), join(folder, `${name}.gguf`)];
  await writeRandomSafetensors(published, shape, new RandomWeights(seed), 60_000);
  await writeRandomGguf(gguf, shape, new RandomWeights(seed));
  return { folder, published, gguf };
}

async function valuesOf(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const shape = checkpoint.tensors.get(name)?.shape ?? [];
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  await checkpoint.readFloat32(name, values);
  return values;
}

const rootMeanSquare = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);

describe.each(['llama-1b', 'gemma-2b'])('a random checkpoint of %s', (name) => {
  it('has the same model in shards and in GGUF, with weights of the scale that was asked for', async () => {
    const { published, gguf } = await generated(name);
    expect((await readdir(published)).filter((file) => file.endsWith('.safetensors')).length).toBeGreaterThan(2);
    const [one, other] = [await openCheckpoint(published), await openCheckpoint(gguf)];
    expect([...other.tensors.keys()].sort()).toEqual([...one.tensors.keys()].sort());
    expect(other.config.blocks).toBe(one.config.blocks);
    expect(other.config.finalSoftCap).toBe(one.config.finalSoftCap);
    for (const { name: tensor, shape } of one.tensors.values()) {
      const [exact, rounded] = [await valuesOf(one, tensor), await valuesOf(other, tensor)];
      if (shape.length === 1) {
        expect(rootMeanSquare(exact)).toBeCloseTo(1, 1);
      } else {
        expect(rootMeanSquare(exact)).toBeGreaterThan(0.018);
        expect(rootMeanSquare(exact)).toBeLessThan(0.022);
        // llama.cpp's order of q and k is not made
        if (/[qk]_proj/.test(tensor) && name === 'llama-1b') continue;
      }
      const error = rootMeanSquare(exact.map((value, i) => value - rounded[i]));
      expect(error, tensor).toBeLessThan(shape.length === 1 ? 0.005 : 0.003);
    }
    expect(other.tensors.get('model.layers.1.mlp.up_proj.weight')?.type).toBe('Q4_0');
    expect(other.tensors.get('model.embed_tokens.weight')?.type).toBe('Q8_0');
    await one.close();
    await other.close();
  });

  it.each([
    ['published', 'int8'],
    ['published', 'f32'],
    ['gguf', 'blocks'],
    ['gguf', 'f32'],
  ] as const)(
    'loads (%s, %s), gives finite logits, and prepares no float32 of a matrix but the embedding',
    async (from, precision) => {
      const paths = await generated(name);
      const cacheDirectory = join(paths.folder, 'cache');
      await mkdir(cacheDirectory);
      // compiled once for all tests
      await symlink(dirname(await testKernels()), join(cacheDirectory, 'kernels'));
      const how = { slots: 1, context: 64, threads: 1, precision } as const;
      const model = await loadModel({ path: paths[from], cacheDirectory, ...how });
      try {
        const row = { requestId: 'r', slot: 0, start: 0, logits: 'all', edits: [], taps: [] } as const;
        const [result] = await model.executor.run({
          kind: 'prefill',
          rows: [{ ...row, tokens: Int32Array.of(300, 17, 4, 255) }],
        });
        expect(result.logits).toHaveLength(4);
        for (const logits of result.logits) {
          const all = logits.full();
          expect(all.every(Number.isFinite)).toBe(true);
          expect(new Set(all).size).toBeGreaterThan(100);
        }
      } finally {
        await model.executor.close();
        await model.encoder.close();
      }
      const files = await readdir(join(cacheDirectory, 'weights'));
      const [index] = files.filter((file) => file.includes('.f32') && file.endsWith('.json'));
      const { tensors } = JSON.parse(readFileSync(join(cacheDirectory, 'weights', index), 'utf8'));
      const matrices = tensors.filter(({ shape }: { shape: number[] }) => shape.length > 1);
      expect(matrices.map((tensor: { name: string }) => tensor.name)).toEqual(['model.embed_tokens.weight']);
    },
  );
});

describe('random weights', () => {
  it('are those of the seed, each tensor from another place, and never run out', () => {
    const [one, again, other] = [new RandomWeights(1), new RandomWeights(1), new RandomWeights(2)];
    const bytes = (weights: RandomWeights, place: number, shape = [64, 64]) =>
      Buffer.concat([...weights.matrix('BF16', shape, place)]);
    expect(bytes(one, 0).equals(bytes(again, 0))).toBe(true);
    expect(bytes(one, 0).equals(bytes(one, 1))).toBe(false);
    expect(bytes(one, 0).equals(bytes(other, 0))).toBe(false);
    expect(bytes(one, 5, [1500, 1024]).length).toBe(1500 * 1024 * 2);
    expect([...one.matrix('Q4_0', [1500, 1024], 5)].reduce((sum, piece) => sum + piece.length, 0)).toBe(
      (1500 * 1024 * 18) / 32,
    );
  });
});

describe('the plan', () => {
  it('takes what is asked for and refuses what there is not', () => {
    expect(chosen(choices, ['blocks', 'int8']).map(({ name }) => name)).toEqual(['int8', 'blocks']);
    expect(() => chosen(choices, ['int4'])).toThrow("no 'int4'");
  });
});

describe('the table of models', () => {
  const table = modelsTables(modelsFixture).get('models') ?? '';

  it('is made from results that the schema accepts', () => {
    expect(modelsResults.parse(modelsFixture)).toEqual(modelsFixture);
    expect(() => modelsResults.parse({ ...modelsFixture, models: [] })).toThrow();
  });

  it('quotes medians, and says what other programs did', () => {
    expect(table).toContain('| **A shape**, 1.24 billion weights |');
    expect(table).toContain('| int8 | 2.47 | 1.50 | 20.0 | 3.0 | 1500 | 1700 | 2900 | 4.0 | 12.0 | 60.0 |');
    expect(table).toContain('| f32 over 4 bits | 0.80 | 1.00 | 10.0 | 2.0 | 1000 | 1100 | not known |');
    expect(table).toContain('up to 0.5 cores busy');
    expect(modelsTables(null).get('models')).toContain('Not measured yet');
  });

  it('in docs/models.md is that of bench/results/models.json (npm run bench:report writes it)', () => {
    const text = readFileSync(join(checkout, 'docs', 'models.md'), 'utf8');
    expect(text).toBe(replaceTables(text, modelsTables(readResults().models)));
  });
});
