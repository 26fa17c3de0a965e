import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Executor, type ModelConfig, mostUnembedded, type UnembeddingKind } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import {
  type FamilyCase,
  type FamilyRun,
  familyFolders,
  familyGolden,
  familyModel,
  familyRow,
  largestDifference,
  runInChunks,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const cacheDirectory = await temporaryCache('tiller-family-unembedding-');
const sets = await operatorSets();
const loads = familyFolders.flatMap((folder) => sets.map((set) => ({ folder, ...set })));

describe.each(loads)('the end of $folder by itself, with the operators of $operators', ({ folder, ...set }) => {
  const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
  let config: ModelConfig;
  let executor: Executor;
  let run: FamilyRun;
  let end: string;
  beforeAll(async () => {
    const model = await familyModel(folder, cacheDirectory);
    config = model.config;
    end = `blocks.${config.blocks - 1}.hook_resid_post`;
    executor = await openExecutor({ ...model, slots: 2, context: 48, threads: 1, kernels: set.kernels, maxChunk: 48 });
    run = await runInChunks(executor, long.ids, long.ids.length, [end, 'ln_final.hook_normalized']);
  });
  afterAll(() => executor.close());

  async function unembed(kind: UnembeddingKind, vectors: Float32Array): Promise<Float32Array[]> {
    const found: Float32Array[] = [];
    const most = mostUnembedded * config.dModel;
    for (let at = 0; at < vectors.length; at += most) {
      found.push(
        ...(await executor.unembed(kind, vectors.slice(at, at + most), (rows) =>
          rows.map((row) => row.full().slice()),
        )),
      );
    }
    return found;
  }

  it('makes of the last block’s stream the logits of the model', async () => {
    const logits = await unembed('stream', run.taps.get(end) ?? new Float32Array());
    expect(logits).toHaveLength(long.ids.length);
    for (const [t, row] of logits.entries()) {
      expect(largestDifference(row, run.logits[t] as Float32Array)).toBeLessThan(2e-5);
    }
  });

  it('makes the same of what the final norm divided', async () => {
    const logits = await unembed('normalised', run.taps.get('ln_final.hook_normalized') ?? new Float32Array());
    expect(logits).toHaveLength(long.ids.length);
    for (const [t, row] of logits.entries()) {
      expect(largestDifference(row, run.logits[t] as Float32Array)).toBeLessThan(1e-4);
    }
  });

  it('is linear in directions: what one adds to the normalised stream is what it adds to the logits', async () => {
    const next = randomNumbers(9);
    const direction = Float32Array.from({ length: config.dModel }, () => next() * 0.1);
    const shift = config.norm === 'layer' ? 3 : 0;
    const [own, twice] = await unembed(
      'direction',
      Float32Array.from([...direction.map((value) => value + shift), ...direction.map((value) => 2 * value)]),
    );
    for (const [id, value] of (own as Float32Array).entries()) expect(twice?.[id]).toBeCloseTo(2 * value, 4);
    const last = (run.taps.get('ln_final.hook_normalized') ?? new Float32Array()).slice(-config.dModel);
    const mean = config.norm === 'layer' ? direction.reduce((sum, value) => sum + value, 0) / config.dModel : 0;
    const moved = last.map((value, at) => value + (direction[at] as number) - mean);
    const [before, after] = await unembed('normalised', Float32Array.from([...last, ...moved]));
    const uncapped = (logit: number) =>
      config.finalSoftCap === null ? logit : config.finalSoftCap * Math.atanh(logit / config.finalSoftCap);
    for (const [id, value] of (own as Float32Array).entries()) {
      const added = uncapped(after?.[id] as number) - uncapped(before?.[id] as number);
      expect(Math.abs(added - value)).toBeLessThan(2e-4);
    }
  });

  it('refuses vectors that are not whole, none, and too many', async () => {
    for (const length of [config.dModel - 1, 0, (mostUnembedded + 1) * config.dModel]) {
      await expect(executor.unembed('stream', new Float32Array(length), () => null)).rejects.toMatchObject({
        code: 'step_failed',
      });
    }
  });
});

describe('logits of vectors beside steps', () => {
  it('take turns with steps, however many are asked for at once', async () => {
    const { config, weights } = await familyModel('llama3', cacheDirectory);
    const executor = await openExecutor({ config, weights, slots: 2, context: 48, threads: 1, maxChunk: 48 });
    const vector = new Float32Array(config.dModel).fill(1);
    await executor.unembed('stream', vector, () => null);
    const order: string[] = [];
    const lens = Promise.all(
      Array.from({ length: 12 }, () => executor.unembed('stream', vector, () => void order.push('vectors'))),
    );
    for (let step = 0; step < 4; step++) {
      await executor.run({ kind: 'prefill', rows: [familyRow(0, [1, 5, 9], 0)] });
      order.push('step');
    }
    await lens;
    expect(order).toHaveLength(16);
    const steps = order.flatMap((what, at) => (what === 'step' ? [at] : []));
    for (const [k, at] of steps.entries()) expect(at).toBeLessThanOrEqual(2 * k + 2);
    await executor.close();
  });

  it('are read before others are made, whatever runs meanwhile, and the executor closes after them', async () => {
    const { config, weights } = await familyModel('llama3', cacheDirectory);
    const executor = await openExecutor({ config, weights, slots: 2, context: 48, threads: 1, maxChunk: 48 });
    const vectors = [1, 2, 3].map((seed) => {
      const next = randomNumbers(seed);
      return Float32Array.from({ length: config.dModel }, () => next());
    });
    const read = async (rows: readonly { full(): Float32Array }[]) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return rows[0]?.full().slice();
    };
    const alone: (Float32Array | undefined)[] = [];
    for (const vector of vectors) alone.push(await executor.unembed('stream', vector, read));
    const step = () => runInChunks(executor, [1, 5, 9, 7], 4);
    const before = await step();
    const together = Promise.all(vectors.map((vector) => executor.unembed('stream', vector, read)));
    const [beside] = await Promise.all([step(), step()]);
    expect(beside.logits).toEqual(before.logits);
    const closed = executor.close();
    const found = await Promise.allSettled([together]);
    await closed;
    expect(found[0]).toMatchObject({ status: 'fulfilled', value: alone });
    await expect(executor.unembed('stream', new Float32Array(config.dModel), () => null)).rejects.toThrow(/unloaded/);
  });
});
