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
  runInChunks,
  tapDifference,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';

const cacheDirectory = await temporaryCache('tiller-family-taps-');
const sets = await operatorSets();
const loads = familyFolders.flatMap((folder) => sets.map((set) => ({ folder, ...set })));
const scores = /hook_(attn_scores|pattern)$/;

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
    hooks = new Map([...allHooks(long, config)].filter(([name]) => !scores.test(name)));
  });
  afterAll(() => executor.close());

  it('lists exactly the hook points that transformers has, with their shapes', () => {
    const shapes = hookPointShapes(config);
    expect([...new Set(hooks.values())].sort()).toEqual([...shapes.keys()].sort());
    for (const [name, canonical] of hooks) {
      expect(shapes.get(canonical), name).toEqual(long.hooks[name]?.shape.slice(1));
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
      const padded = new Float32Array((position + 1) * tap.length);
      padded.set(tap, position * tap.length);
      expect(tapDifference(padded, { ...long, ...last(long, name) }, name), name).toBeLessThan(1e-4);
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
        const largest = tap.reduce((most, value, i) => Math.max(most, Math.abs(value - (alone[i] ?? Number.NaN))), 0);
        expect(largest, `${name} alone`).toBeLessThan(0.1);
      }
    } finally {
      await rounded.close();
    }
  });

  it('refuses what no graph gives, and what there is not', async () => {
    for (const name of ['blocks.0.attn.hook_attn_scores', 'blocks.1.attn.hook_pattern']) {
      const running = executor.prepare({ edits: [], taps: [name] });
      await expect(running).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining(name) });
    }
    const missing = executor.prepare({ edits: [], taps: ['blocks.0.mlp.hook_nothing'] });
    await expect(missing).rejects.toMatchObject({ code: 'hook_point_not_found' });
  });
});

/** Of a case the figure of one hook point at the last position that is kept, alone. */
function last(one: FamilyCase, name: string): Pick<FamilyCase, 'positions' | 'hooks'> {
  const figure = one.hooks[name];
  if (!figure) throw new Error(`no figure of ${name}`);
  const bytes = Buffer.from(figure.data, 'base64');
  const size = bytes.length / one.positions.length;
  const data = bytes.subarray(bytes.length - size).toString('base64');
  const hooks = { [name]: { shape: [1, ...figure.shape.slice(1)], data } };
  return { positions: one.positions.slice(-1), hooks };
}
