import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, prepareInt8Weights } from '../../../engine/checkpoint/index.ts';
import { type Executor, hookPointShapes, type ModelConfig, type RowStep } from '../../../engine/core/index.ts';
import { compileDecoder } from '../../../engine/graph/index.ts';
import { type ExecutorOptions, openExecutor } from '../../../engine/runtime/index.ts';
import {
  type FamilyCase,
  type FamilyFolder,
  familyFolders,
  familyGolden,
  familyModel,
  familyPath,
  familyRow,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';
import { editOf } from '../../harness/requests.ts';

const cacheDirectory = await temporaryCache('tiller-taps-only-');
const sets = await operatorSets();
const loads = familyFolders.flatMap((folder) => sets.map((set) => ({ folder, ...set })));
const tokensOf = (folder: FamilyFolder) => (familyGolden(folder).cases[1] as FamilyCase).ids;
/** The block that a hook point lies in; −1 before the first, `blocks` after the last. */
const blockOf = (name: string, blocks: number) => {
  if (name === 'blocks.0.hook_resid_pre' || !name.includes('.')) return -1;
  return Number(/^blocks\.(\d+)/.exec(name)?.[1] ?? blocks);
};

/** What taps give over a text, step by step. */
async function readings(
  executor: Executor,
  ids: readonly number[],
  logits: RowStep['logits'],
  taps: readonly string[],
) {
  const steps: (Float32Array | undefined)[] = [];
  for (let start = 0; start < ids.length; start += 7) {
    const row = { ...familyRow(0, ids.slice(start, start + 7), start, taps), logits };
    const [result] = await executor.run({ kind: 'prefill', rows: [row] });
    expect(result?.logits).toHaveLength(logits === 'last' ? 1 : 0);
    steps.push(...taps.map((name) => result?.taps.get(name)));
  }
  return steps;
}

describe.each(loads)(
  'rows of $folder that want nothing but taps, with the operators of $operators',
  ({ folder, operators, kernels }) => {
    const ids = tokensOf(folder);
    let how: ExecutorOptions;
    let config: ModelConfig;
    let executor: Executor;
    beforeAll(async () => {
      const model = await familyModel(folder, cacheDirectory);
      config = model.config;
      how = { ...model, slots: 1, context: 48, threads: 1, kernels };
      executor = await openExecutor(how);
    });
    afterAll(() => executor.close());

    it('run graphs without anything that comes after', () => {
      const graph = { operators, keyValueType: 'float32' } as const;
      for (const name of hookPointShapes(config).keys()) {
        const open = { edits: new Set<string>(), taps: new Set([name]), tapsOnly: true };
        const compiled = compileDecoder(config, 48, open, undefined, graph);
        const last = Math.min(config.blocks - 1, blockOf(name, config.blocks));
        expect(compiled.blocks, name).toBe(last + 1);
        const later = (each: string) => Number(/(?:^|\/)blocks\.(\d+)/.exec(each)?.[1] ?? -1) > last;
        const named = compiled.operators.map((node) => node.name);
        // The stream that leaves one block is the one that enters the next.
        expect(named.filter((each) => each.startsWith('logits') || (later(each) && !each.startsWith(name)))).toEqual(
          [],
        );
        const cached = [...compiled.inputs, ...compiled.outputs].filter(({ name: port }) =>
          /^past|^present/.test(port),
        );
        expect(cached).toHaveLength((operators === 'tiller' ? 2 : 4) * (last + 1));
        const weights = [...compiled.weights.keys()];
        const beyond = weights.filter((each) => Number(/^model\.layers\.(\d+)/.exec(each)?.[1] ?? -1) > last);
        expect(beyond.filter((each) => !/input_layernorm/.test(each) || !/resid/.test(name))).toEqual([]);
        expect(weights).not.toContain('lm_head.weight');
        expect(compiled.outputs.map(({ name: port }) => port).filter((port) => !/^present/.test(port))).toEqual([
          `tap.${name}`,
        ]);
      }
    });

    it('get the same bits as rows that want logits too', async () => {
      for (const name of hookPointShapes(config).keys()) {
        const alone = await readings(executor, ids, 'never', [name]);
        expect(alone, name).toEqual(await readings(executor, ids, 'last', [name]));
      }
    });

    it('get the same bits in int8', async () => {
      const checkpoint = await openCheckpoint(familyPath(folder));
      const stored = await prepareInt8Weights(checkpoint, { cacheDirectory });
      await checkpoint.close();
      const rounded = await openExecutor({ ...how, linears: { stored, blockInput: 'int8' } });
      try {
        for (const name of [...hookPointShapes(config).keys()].filter((each) => /resid|pattern|mlp.hook/.test(each))) {
          const alone = await readings(rounded, ids, 'never', [name]);
          expect(alone, name).toEqual(await readings(rounded, ids, 'last', [name]));
        }
      } finally {
        await rounded.close();
      }
    });
  },
);

describe.each(sets)('a slot that was read for taps only ($operators)', ({ kernels }) => {
  const ids = tokensOf('llama3');
  const tap = 'blocks.0.hook_resid_mid';
  const refusal = { code: 'step_failed', message: expect.stringContaining('first 1 of 2 blocks') };
  let executor: Executor;
  beforeAll(async () => {
    const model = await familyModel('llama3', cacheDirectory);
    executor = await openExecutor({ ...model, slots: 3, context: 64, threads: 1, kernels });
  });
  afterAll(() => executor.close());

  const step = (slot: number, from: number, to: number, more: Partial<RowStep> = {}) =>
    executor.run({ kind: 'prefill', rows: [{ ...familyRow(slot, ids.slice(from, to), from), ...more }] });
  const never = (slot: number, from: number, to: number, taps = [tap]) =>
    step(slot, from, to, { logits: 'never', taps });
  const logits = async (slot: number, from: number, to: number) =>
    (await step(slot, from, to))[0]?.logits[0]?.full().slice();

  it('is gone on with only by rows that need no more blocks', async () => {
    await never(0, 0, 8);
    await never(0, 8, 12, ['blocks.0.attn.hook_z']);
    await never(0, 12, 16, ['hook_embed']);
    await expect(step(0, 16, 20)).rejects.toMatchObject({ code: 'step_failed' });
    await never(0, 0, 16);
    await expect(step(0, 16, 20)).rejects.toMatchObject(refusal);
    await expect(step(0, 16, 20, { logits: 'none' })).rejects.toMatchObject(refusal);
    await expect(never(0, 16, 20, ['blocks.1.attn.hook_q'])).rejects.toMatchObject(refusal);
    const decoding = { kind: 'decode', rows: [familyRow(0, [ids[16] ?? 0], 16)] } as const;
    await expect(executor.run(decoding)).rejects.toMatchObject(refusal);
  });

  it('has the keys and values of its last block, even where no tap needs them', async () => {
    const pattern = 'blocks.1.attn.hook_pattern';
    await step(1, 0, 8);
    const [whole] = await step(1, 8, 16, { taps: [pattern] });
    for (const before of ['blocks.1.ln1.hook_scale', 'blocks.1.attn.hook_q', 'blocks.1.mlp.hook_post']) {
      executor.freeSlot(0);
      await never(0, 0, 8, [before]);
      const [alone] = await never(0, 8, 16, [pattern]);
      expect(alone?.taps.get(pattern), before).toEqual(whole?.taps.get(pattern));
    }
  });

  it('gives the prefix cache nothing, not even by way of another slot', async () => {
    await never(0, 0, 20);
    await expect(executor.blocks.save(0, 0, 1)).rejects.toMatchObject(refusal);
    await executor.copySlot(0, 1, 20);
    await expect(executor.blocks.save(1, 0, 1)).rejects.toMatchObject(refusal);
    await expect(step(1, 20, 22)).rejects.toMatchObject(refusal);
    // A whole beginning does not make up for what comes after it.
    await step(2, 0, 16);
    const [block = -1] = await executor.blocks.save(2, 0, 1);
    await never(2, 16, 20);
    await expect(executor.blocks.save(2, 0, 1)).rejects.toMatchObject(refusal);
    await expect(executor.blocks.load(2, 16, [block])).rejects.toMatchObject(refusal);
    executor.blocks.free(block);
  });

  it('is as good as new once it is read from the beginning, freed or filled anew', async () => {
    await executor.copySlot(2, 1, 0);
    await step(1, 0, 16);
    const [block = -1] = await executor.blocks.save(1, 0, 1);
    const want = await logits(1, 16, 20);
    await never(0, 0, 16);
    await step(0, 0, 16);
    expect(await logits(0, 16, 20)).toEqual(want);
    await never(0, 0, 16);
    await executor.blocks.load(0, 0, [block]);
    expect(await logits(0, 16, 20)).toEqual(want);
    await never(0, 0, 16);
    await executor.copySlot(1, 0, 16);
    expect(await logits(0, 16, 20)).toEqual(want);
    const again = await executor.blocks.save(0, 0, 1);
    expect(again).toHaveLength(1);
    for (const each of [block, ...again]) executor.blocks.free(each);
  });

  it('was edited where that was asked, as far as the last edit', async () => {
    const edit = editOf(1, 'all', 'blocks.1.hook_resid_mid', new Float32Array(32).fill(0.5));
    const edits = [{ edit, mask: new Float32Array(8).fill(1) }];
    const [alone] = await step(0, 0, 8, { logits: 'never', taps: [tap], edits });
    const [whole] = await step(1, 0, 8, { taps: [tap], edits });
    expect(alone?.taps.get(tap)).toEqual(whole?.taps.get(tap));
    expect(alone?.readings[0]?.gate(3)).toBe(1);
    // Both blocks were run.
    await expect(executor.blocks.save(0, 0, 0)).resolves.toEqual([]);
  });

  it('is refused where nothing is wanted, and where a row decodes', async () => {
    const reason = (words: string) => ({ code: 'step_failed', message: expect.stringContaining(words) });
    await expect(never(0, 0, 4, [])).rejects.toMatchObject(reason('neither logits nor taps'));
    const decoding = { kind: 'decode', rows: [{ ...familyRow(0, [1], 0, [tap]), logits: 'never' }] } as const;
    await expect(executor.run(decoding)).rejects.toMatchObject(reason('decodes'));
  });

  it('has its graph built beforehand', async () => {
    await executor.prepare({ edits: [], taps: ['blocks.1.mlp.hook_pre'], tapsOnly: true });
    const { variantsBuilt } = executor.statistics();
    await never(0, 0, 4, ['blocks.1.mlp.hook_pre']);
    expect(executor.statistics().variantsBuilt).toBe(variantsBuilt);
    const none = executor.prepare({ edits: [], taps: [], tapsOnly: true });
    await expect(none).rejects.toMatchObject({ code: 'unsupported' });
  });
});
