import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, prepareInt8Weights } from '../../../engine/checkpoint/index.ts';
import { type Executor, hookPointShapes, type ModelConfig } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import {
  allHooks,
  type FamilyCase,
  familyFolders,
  familyGolden,
  familyModel,
  familyPath,
  familyRow,
  largestDifference,
  runInChunks,
  tapDifference,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';
import { showsKeys } from '../../harness/pattern-pieces.ts';

const cacheDirectory = await temporaryCache('tiller-family-taps-');
const sets = await operatorSets();
const loads = familyFolders.flatMap((folder) => sets.map((set) => ({ folder, ...set })));

describe.each(loads)('$folder with the operators of $operators', ({ folder, kernels }) => {
  const golden = familyGolden(folder);
  const [short, long] = golden.cases as [FamilyCase, FamilyCase];
  let config: ModelConfig;
  let executor: Executor;
  let hooks: Map<string, string>;
  beforeAll(async () => {
    const model = await familyModel(folder, cacheDirectory);
    config = model.config;
    executor = await openExecutor({ ...model, slots: 2, context: 48, threads: 1, kernels, maxChunk: 48 });
    hooks = allHooks(long, config);
  });
  afterAll(() => executor.close());

  it('lists exactly the hook points that transformers has, with their shapes', () => {
    const shapes = hookPointShapes(config);
    expect([...new Set(hooks.values())].sort()).toEqual([...shapes.keys()].sort());
    for (const [name, canonical] of hooks) {
      const [first, ...others] = long.hooks[name]?.shape ?? [];
      // [heads, queries, keys] there, [queries, …] everywhere else
      expect(shapes.get(canonical), name).toEqual(showsKeys(name) ? [first, 'keys'] : others);
    }
  });

  it('gives transformers’ values at all of them together, in one piece and in chunks', async () => {
    for (const one of [short, long]) {
      for (const size of [one.ids.length, 7]) {
        const { taps } = await runInChunks(executor, one.ids, size, [...new Set(hooks.values())]);
        for (const [name, canonical] of hooks) {
          expect(tapDifference(taps.get(canonical) ?? new Float32Array(), one, name), name).toBeLessThan(1e-4);
        }
      }
    }
  });

  it('gives each by itself, in a batch that decodes', async () => {
    const position = long.positions.at(-1) as number;
    for (const [name, canonical] of [...hooks].filter(([name]) => !/^blocks\.0/.test(name))) {
      const prompts = [long.ids.slice(0, position), long.ids.slice(3, 9)];
      for (const [slot, ids] of prompts.entries()) {
        await executor.run({ kind: 'prefill', rows: [familyRow(slot, ids, 0)] });
      }
      const rows = prompts.map((ids, slot) => familyRow(slot, [long.ids[position] ?? 0], ids.length, [canonical]));
      const [result] = await executor.run({ kind: 'decode', rows });
      const tap = result?.taps.get(canonical) ?? new Float32Array();
      expect(tapDifference(tap, last(long, name), name), name).toBeLessThan(1e-4);
    }
  });

  it('gives them in int8 as they are there', async () => {
    const model = await familyModel(folder, cacheDirectory);
    const checkpoint = await openCheckpoint(familyPath(folder));
    const stored = await prepareInt8Weights(checkpoint, { cacheDirectory });
    await checkpoint.close();
    const how = { linears: { stored, blockInput: 'int8' }, slots: 1, context: 48, threads: 1, kernels } as const;
    const rounded = await openExecutor({ ...model, ...how, maxChunk: 48 });
    try {
      const together = await runInChunks(rounded, long.ids, 7, [...new Set(hooks.values())]);
      for (const [name, canonical] of hooks) {
        const tap = together.taps.get(canonical) ?? new Float32Array();
        expect(tapDifference(tap, long, name), name).toBeLessThan(0.15);
        if (/^blocks\.0/.test(name)) continue;
        // What is tapped is not fused, and a value half way between two quanta may fall to the other: a few per cent of it.
        const { taps } = await runInChunks(rounded, long.ids, 7, [canonical]);
        const alone = taps.get(canonical) ?? new Float32Array();
        expect(largestDifference(tap, alone), `${name} alone`).toBeLessThan(0.1);
      }
    } finally {
      await rounded.close();
    }
  });

  it('refuses what there is not', async () => {
    const missing = executor.prepare({ edits: [], taps: ['blocks.0.mlp.hook_nothing'] });
    await expect(missing).rejects.toMatchObject({ code: 'hook_point_not_found' });
  });
});

/** A case with the figure of one hook point at the last position that is kept, alone, as if that were the first. */
function last(one: FamilyCase, name: string): FamilyCase {
  const figure = one.hooks[name];
  if (!figure) throw new Error(`no figure of ${name}`);
  const bytes = Buffer.from(figure.data, 'base64');
  const kept = one.positions.length;
  const [first = 0, ...others] = figure.shape;
  const heads = showsKeys(name) ? first : 1;
  const size = bytes.length / heads / kept;
  const parts = Array.from({ length: heads }, (_, head) => ((head + 1) * kept - 1) * size);
  const data = Buffer.concat(parts.map((at) => bytes.subarray(at, at + size))).toString('base64');
  const shape = showsKeys(name) ? [heads, 1, others.at(-1) ?? 0] : [1, ...others];
  return { ...one, positions: [0], hooks: { [name]: { shape, data } } };
}
