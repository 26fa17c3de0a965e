import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../../engine/core/index.ts';
import { loadModel } from '../../../engine/load-model.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { CheckedRows } from '../../harness/checked-patterns.ts';
import {
  type FamilyCase,
  type FamilyFolder,
  familyFolders,
  familyGolden,
  familyModel,
  familyPath,
  familyRow,
  runInChunks,
  tapDifference,
} from '../../harness/families.ts';
import { roundedToHalf } from '../../harness/half.ts';
import { operatorSets, temporaryCache, testKernels } from '../../harness/kernels.ts';
import { showsKeys } from '../../harness/pattern-pieces.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const cacheDirectory = await temporaryCache('tiller-patterns-');
const sets = await operatorSets();
const families: readonly FamilyFolder[] = ['gemma2', 'gpt_neox', 'mistral', 'gpt2'];
const loads = families.flatMap((folder) => sets.map((set) => ({ folder, ...set })));
/** Every kind of number that attention keeps, with what rounds as it does. */
const kept = [
  ...sets.map((set) => ({ ...set, keyValueType: 'float32' as const, rounded: (value: number) => value })),
  { ...sets[0], keyValueType: 'float16' as const, rounded: roundedToHalf },
];

describe.each(kept)('attention of $operators over keys in $keyValueType', ({ kernels, keyValueType, rounded }) => {
  it.each(['gemma2', 'gpt_neox'] as const)(
    '%s: scores, pattern and values give z, ragged and past 64 keys',
    async (folder) => {
      const model = await familyModel(folder, cacheDirectory);
      const { config } = model;
      // Beyond what the fixture was made for: rotary tables are made as long as is asked. Its windows are of 8 tokens.
      const context = 200;
      const executor = await openExecutor({
        ...model,
        slots: 3,
        context,
        threads: 1,
        kernels,
        keyValueType,
        maxChunk: 32,
      });
      const next = randomNumbers(7);
      const ids = Array.from({ length: context }, () => Math.floor((next() + 0.5) * config.vocabularySize));
      try {
        const rows = new CheckedRows(executor, config, rounded);
        const lengths = [126, 3, 62];
        for (const order of [lengths, lengths.toReversed()]) {
          // The second time, short rows lie where long ones have left keys and values behind.
          for (const [slot, length] of order.entries()) await rows.prefill(slot, ids.slice(0, length));
          for (let step = 0; step < 4; step++) {
            await rows.decode(order.map((length) => ({ id: ids[length + step] ?? 0, start: length + step })));
          }
        }
        const tokens = 2 * lengths.reduce((sum, length) => sum + length + 4, 0);
        expect(rows.checked).toBe(tokens * config.blocks * config.heads);
        expect(rows.differences.filter((one) => !(one < 1e-5))).toEqual([]);
      } finally {
        await executor.close();
      }
    },
  );
});

it.each(familyFolders)(
  '%s: keys in half precision change scores and pattern by their rounding alone',
  async (folder) => {
    const model = await familyModel(folder, cacheDirectory);
    const kernels = await testKernels();
    const how = { slots: 1, context: 48, threads: 1, kernels, keyValueType: 'float16', maxChunk: 48 } as const;
    const executor = await openExecutor({ ...model, ...how });
    const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
    const names = Object.keys(long.hooks).filter(showsKeys);
    try {
      expect(names).toHaveLength(2 * model.config.blocks);
      const { taps } = await runInChunks(executor, long.ids, 7, names);
      const differences = names.map((name) => tapDifference(taps.get(name) ?? new Float32Array(), long, name));
      expect(Math.max(...differences)).toBeLessThan(5e-3);
      expect(Math.max(...differences)).toBeGreaterThan(1e-6);
    } finally {
      await executor.close();
    }
  },
);

describe.each(loads)('$folder with the operators of $operators', ({ folder, kernels }) => {
  it('computes the same bits with attention’s pattern given out as without', async () => {
    const model = await familyModel(folder, cacheDirectory);
    const executor = await openExecutor({ ...model, slots: 1, context: 48, threads: 1, kernels, maxChunk: 48 });
    const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
    const names = Object.keys(long.hooks).filter(showsKeys);
    try {
      const tapped = await runInChunks(executor, long.ids, 9, names);
      const plain = await runInChunks(executor, long.ids, 9);
      expect(tapped.logits).toEqual(plain.logits);
    } finally {
      await executor.close();
    }
  });
});

it.each(loads)('$folder: shows them as the model is loaded to serve, f32 and int8 ($operators)', async (load) => {
  const { folder } = load;
  const operators = load.kernels === null ? 'onnxruntime' : 'auto';
  const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
  const names = Object.keys(long.hooks).filter(showsKeys);
  for (const [precision, allowed] of [
    ['f32', 1e-4],
    ['int8', 0.15],
  ] as const) {
    const how = { cacheDirectory, slots: 1, context: null, threads: 1, operators, precision } as const;
    const model = await loadModel({ path: familyPath(folder), ...how });
    try {
      const { taps } = await runInChunks(model.executor, long.ids, 7, names);
      for (const name of names) {
        expect(tapDifference(taps.get(name) ?? new Float32Array(), long, name), name).toBeLessThan(allowed);
      }
    } finally {
      await model.executor.close();
    }
  }
});

describe('a wrong variant of Gemma 2 shows in the pattern of its first block', () => {
  const layers = (by: number) => (config: ModelConfig) => ({
    ...config,
    layers: config.layers.map((layer) => ({ ...layer, window: layer.window && layer.window + by })),
  });
  const attention = (changed: Partial<ModelConfig['attention']>) => (config: ModelConfig) => ({
    ...config,
    attention: { ...config.attention, ...changed },
  });
  it.each([
    ['nothing changed', layers(0), false],
    ['a window one longer', layers(1), true],
    ['a window one shorter', layers(-1), true],
    ['no cap', attention({ softCap: null }), true],
    ['another scale', attention({ scale: 0.25 }), true],
  ] as const)('%s', async (_what, change, wrong) => {
    const model = await familyModel('gemma2', cacheDirectory);
    const how = { config: change(model.config), weights: model.weights, slots: 1, context: 48, threads: 1 };
    const executor = await openExecutor({ ...how, kernels: await testKernels(), maxChunk: 48 });
    const [, long] = familyGolden('gemma2').cases as [FamilyCase, FamilyCase];
    const name = 'blocks.0.attn.hook_pattern';
    try {
      const { taps } = await runInChunks(executor, long.ids, long.ids.length, [name]);
      const difference = tapDifference(taps.get(name) ?? new Float32Array(), long, name);
      if (wrong) expect(difference).toBeGreaterThan(1e-3);
      else expect(difference).toBeLessThan(1e-4);
    } finally {
      await executor.close();
    }
  });
});

it('refuses to give out more than fits, and keeps only the last step that shows keys', async () => {
  const model = await familyModel('gemma2', cacheDirectory);
  const { config } = model;
  // 2 hook points × 4 heads × 2 blocks × 4096² numbers are a gigabyte
  const context = 4096;
  const taps = config.layers.flatMap((_, block) => [
    `blocks.${block}.attn.hook_pattern`,
    `blocks.${block}.attn.hook_attn_scores`,
  ]);
  const executor = await openExecutor({ ...model, slots: 1, context, threads: 1, maxChunk: context });
  const run = (start: number, count: number) => {
    return executor.run({ kind: 'prefill', rows: [familyRow(0, new Array<number>(count).fill(5), start, taps)] });
  };
  try {
    await expect(run(0, context)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('fewer hook points'),
    });
    const [first] = await run(0, 70);
    const earlier = first?.taps.get(taps[0] ?? '')?.slice() ?? new Float32Array();
    await run(70, 70);
    const [again] = await run(0, 70);
    expect(earlier).toHaveLength(config.heads * 70 * 70);
    expect(again?.taps.get(taps[0] ?? '')).toEqual(earlier);
  } finally {
    await executor.close();
  }
});

describe.each(['gpt2', 'gpt_neox'] as const)('TransformerLens’ %s', (folder) => {
  it.each(sets)('has these scores and this pattern ($operators)', async ({ kernels }) => {
    const file = join(familyPath(folder), '..', 'transformer-lens', `${folder}.json`);
    const lens = JSON.parse(readFileSync(file, 'utf8')) as Pick<FamilyCase, 'ids' | 'hooks'>;
    const [short] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
    const model = await familyModel(folder, cacheDirectory);
    const executor = await openExecutor({ ...model, slots: 1, context: 48, threads: 1, kernels, maxChunk: 48 });
    const names = Object.keys(lens.hooks).filter(showsKeys);
    try {
      expect(names).toHaveLength(2 * model.config.blocks);
      for (const size of [lens.ids.length, 1]) {
        const { taps } = await runInChunks(executor, lens.ids, size, names);
        for (const name of names) {
          const positions = lens.ids.map((_, position) => position);
          const golden = { ...short, positions, hooks: lens.hooks };
          expect(tapDifference(taps.get(name) ?? new Float32Array(), golden, name), name).toBeLessThan(1e-4);
        }
      }
    } finally {
      await executor.close();
    }
  });
});
