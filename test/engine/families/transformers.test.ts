import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Executor, ModelConfig } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import {
  type FamilyCase,
  familyFolders,
  familyGolden,
  familyModel,
  familyRow,
  goldenLogits,
  largestDifference,
  logitsDifference,
  runInChunks,
  streamHooks,
  tapDifference,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';

const cacheDirectory = await temporaryCache('tiller-families-');
const sets = await operatorSets();
const loads = familyFolders.flatMap((folder) => sets.map((set) => ({ folder, ...set })));

describe.each(loads)('$folder with the operators of $operators', ({ folder, kernels }) => {
  const golden = familyGolden(folder);
  const [short, long] = golden.cases as [FamilyCase, FamilyCase];
  let config: ModelConfig;
  let executor: Executor;
  beforeAll(async () => {
    const model = await familyModel(folder, cacheDirectory);
    config = model.config;
    const context = Math.min(64, config.contextLength);
    executor = await openExecutor({ ...model, slots: 4, context, threads: 1, kernels, maxChunk: 64 });
  });
  afterAll(() => executor.close());

  it('gives the logits of transformers at every position, past any window', async () => {
    expect(long.ids.length).toBeGreaterThan(Math.max(...config.layers.map(({ window }) => window ?? 0)) + 8);
    for (const one of golden.cases) {
      const run = await runInChunks(executor, one.ids, one.ids.length);
      expect(run.logits).toHaveLength(one.ids.length);
      expect(logitsDifference(run, one), one.name).toBeLessThan(1e-4);
    }
  });

  it('gives the perplexity of transformers', async () => {
    for (const one of golden.cases) {
      const { logits } = await runInChunks(executor, one.ids, one.ids.length);
      const surprises = one.ids.slice(1).map((id, at) => surprise(logits[at] ?? new Float32Array(), id));
      const perplexity = Math.exp(surprises.reduce((sum, value) => sum + value, 0) / surprises.length);
      expect(perplexity / one.perplexity).toBeCloseTo(1, 4);
    }
  });

  it.each([1, 5, 7])('gives them in chunks of %d tokens', async (size) => {
    for (const one of golden.cases) {
      expect(logitsDifference(await runInChunks(executor, one.ids, size), one), one.name).toBeLessThan(1e-4);
    }
  });

  it('gives them in a ragged batch that decodes', async () => {
    const rows = [
      { one: short, start: 1 },
      { one: long, start: long.ids.length - 2 },
      { one: long, start: 3 },
      { one: long, start: 9 },
    ];
    for (const [slot, { one, start }] of rows.entries()) {
      await executor.run({ kind: 'prefill', rows: [familyRow(slot, one.ids.slice(0, start), 0)] });
    }
    for (let step = 0; step < 2; step++) {
      const plan = rows.map(({ one, start }, slot) => familyRow(slot, [one.ids[start + step] ?? 0], start + step));
      const results = await executor.run({ kind: 'decode', rows: plan });
      for (const [slot, { one, start }] of rows.entries()) {
        const logits = results[slot]?.logits[0]?.full() ?? new Float32Array();
        expect(largestDifference(logits, goldenLogits(one, start + step)), `row ${slot}`).toBeLessThan(1e-4);
      }
    }
  });

  it('gives the stream of transformers at every hook point, in one piece and in chunks', async () => {
    for (const one of golden.cases) {
      const hooks = streamHooks(one, config);
      expect(hooks.size).toBe(1 + config.blocks * (config.parallelResidual ? 2 : 3));
      for (const size of [one.ids.length, 6]) {
        const { taps } = await runInChunks(executor, one.ids, size, [...new Set(hooks.values())]);
        for (const [name, canonical] of hooks) {
          expect(tapDifference(taps.get(canonical) ?? new Float32Array(), one, name), name).toBeLessThan(1e-4);
        }
      }
    }
  });
});

/** −log p of a token */
function surprise(logits: Float32Array, id: number): number {
  const largest = Math.max(...logits);
  return (
    largest - (logits[id] ?? Number.NaN) + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0))
  );
}
