import { copyFileSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RowStep } from '../../../engine/core/index.ts';
import { RuntimeEnvironment } from '../../../engine/runtime/environment.ts';
import { type ExecutorOptions, openExecutor } from '../../../engine/runtime/index.ts';
import { testKernels } from '../../harness/kernels.ts';
import { editOf } from '../../harness/requests.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const weights = writeTinyWeights();
const kernels = await testKernels();
const open = (more: Partial<ExecutorOptions> = {}) =>
  openExecutor({ config: tinyConfig, weights, slots: 4, context: 48, threads: 1, maxChunk: 16, kernels, ...more });

const row = (slot: number, count: number, more: Partial<RowStep> = {}): RowStep => ({
  requestId: String(slot),
  slot,
  tokens: Int32Array.from({ length: count }, (_, t) => (t * 7 + 3) % tinyConfig.vocabularySize),
  start: 0,
  logits: 'last',
  edits: [],
  taps: [],
  ...more,
});

const random = randomNumbers(3);
function steered(hookPoints: readonly string[], count: number): RowStep['edits'] {
  return hookPoints.map((hookPoint) => {
    const write = Float32Array.from({ length: tinyConfig.dModel }, random);
    return { edit: editOf(1, 'all', hookPoint, write), mask: new Float32Array(count).fill(1) };
  });
}
const allSites = [
  'blocks.0.hook_resid_pre',
  'blocks.0.hook_resid_mid',
  'blocks.0.hook_resid_post',
  'blocks.1.hook_resid_mid',
  'blocks.1.hook_resid_post',
];
/** Every non-empty set of the hook points, 31 of them: more than the variants and the bound steps that are kept. */
const siteSets = Array.from({ length: 31 }, (_, i) => allSites.filter((_site, bit) => (i + 1) & (1 << bit)));

let keeper: RuntimeEnvironment;
let before: number;
beforeEach(() => {
  keeper = RuntimeEnvironment.acquire({ threads: 1 });
  before = keeper.api.liveHandles;
});
afterEach(() => {
  expect(keeper.api.liveHandles, 'handles').toBe(before);
  keeper.release();
});

describe('an executor that cannot be opened leaves nothing behind', () => {
  it('when the weights are not there', async () => {
    const tensors = new Map([...weights.tensors].map(([name, at]) => [name, { ...at, path: `${at.path}.gone` }]));
    await expect(open({ weights: { ...weights, tensors } })).rejects.toThrow(/ENOENT/);
  });

  it('when the file of the weights was cut short since it was looked at', async () => {
    const [first] = weights.tensors.values();
    const path = `${first?.path}.short`;
    copyFileSync(String(first?.path), path);
    truncateSync(path, 64);
    const tensors = new Map([...weights.tensors].map(([name, at]) => [name, { ...at, path }]));
    await expect(open({ weights: { ...weights, tensors } })).rejects.toMatchObject({ code: 'checkpoint_invalid' });
  });

  it('when the cache cannot be reserved', async () => {
    const opening = open({ slots: 2 ** 40, config: { ...tinyConfig, contextLength: 2 ** 20 } });
    await expect(opening).rejects.toMatchObject({
      code: 'runtime_unavailable',
      message: expect.stringMatching(/--max-rows/),
    });
  });
});

describe('close', () => {
  it('lets the steps given finish, refuses later ones, and may be called again', async () => {
    const executor = await open();
    const runs = Array.from({ length: 6 }, (_, i) => executor.run({ kind: 'prefill', rows: [row(i % 4, 8)] }));
    const closing = executor.close();
    expect((await Promise.all(runs)).map(([result]) => result?.logits[0]?.topTokenIds.length)).toEqual(
      new Array(6).fill(256),
    );
    const gone = { code: 'step_failed', message: expect.stringMatching(/unloaded/) };
    await expect(executor.run({ kind: 'prefill', rows: [row(0, 2)] })).rejects.toMatchObject(gone);
    await closing;
    await executor.close();
    await expect(executor.run({ kind: 'prefill', rows: [row(0, 2)] })).rejects.toMatchObject(gone);
    await expect(executor.prepare({ edits: ['blocks.0.hook_resid_mid'], taps: [] })).rejects.toMatchObject(gone);
    await expect(executor.copySlot(0, 1, 1)).rejects.toMatchObject(gone);
    await expect(executor.blocks.save(0, 0, 1)).rejects.toMatchObject(gone);
    await expect(executor.blocks.load(0, 0, [])).rejects.toMatchObject(gone);
    executor.freeSlot(0);
  });

  it('gives up the variants that still wait to be built', async () => {
    const executor = await open();
    const preparing = siteSets.map((edits) => executor.prepare({ edits, taps: [] }).catch((error: unknown) => error));
    await executor.close();
    const outcomes = await Promise.all(preparing);
    expect(outcomes.some((outcome) => outcome instanceof Error && /unloaded/.test(outcome.message))).toBe(true);
  });
});

describe('variants that come and go', () => {
  it('run right while they are evicted, built again and prepared behind the steps in flight', async () => {
    const executor = await open({ slots: 2 });
    const count = 3;
    const edits = siteSets.map((sites) => steered(sites, count));
    const step = (i: number) => row(0, count, { edits: edits[i], taps: i % 3 ? [] : ['blocks.1.hook_resid_post'] });
    const logitsOf = async (i: number) => {
      const results = await executor.run({ kind: 'prefill', rows: [step(i)] });
      return [...(results[0]?.logits[0]?.topValues ?? [])];
    };
    const alone: number[][] = [];
    for (const i of edits.keys()) alone.push(await logitsOf(i));
    const preparing: Promise<void>[] = [];
    const running: Promise<void>[] = [];
    for (let round = 0; round < 120; round++) {
      const i = Math.floor((random() + 0.5) * edits.length);
      preparing.push(executor.prepare({ edits: siteSets[(i * 11) % 31] ?? [], taps: [] }));
      running.push(
        logitsOf(i).then((values) => {
          const expected = alone[i] ?? [];
          expect(Math.max(...values.map((value, k) => Math.abs(value - (expected[k] ?? NaN))))).toBeLessThan(1e-4);
        }),
      );
      if (round % 5 === 0) await Promise.all(running.splice(0));
    }
    await Promise.all([...preparing, ...running]);
    // Those in use last, and two that stay for good: the closed one and the one with everything open.
    expect(executor.statistics().variantsCached).toBeLessThanOrEqual(10);
    expect(executor.statistics().variantsEvicted).toBeGreaterThan(10);
    await executor.close();
  }, 120_000);

  it('are closed only after the run that uses them, however many others are built meanwhile', async () => {
    const executor = await open({ keptVariants: 12 });
    const { api } = keeper;
    const { checkAsync, release } = api;
    const released: string[] = [];
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const started = new Promise<void>((resolve) => {
      api.checkAsync = async (name, ...values) => {
        if (name === 'RunWithBinding') resolve();
        if (name === 'RunWithBinding') await held;
        await checkAsync.call(api, name, ...values);
      };
    });
    api.release = (name, handle) => {
      released.push(name);
      release.call(api, name, handle);
    };
    const inUse = () => released.filter((name) => name === 'ReleaseSession' || name === 'ReleaseIoBinding');
    try {
      const edits = steered([allSites[0] as string], 2);
      const run = executor.run({ kind: 'prefill', rows: [row(0, 2, { edits })] });
      await started;
      for (const taps of siteSets.slice(0, 13)) await executor.prepare({ edits: [], taps });
      expect(executor.statistics().variantsBuilt).toBe(15);
      expect(inUse()).toEqual([]);
      finish();
      expect((await run)[0]?.readings).toHaveLength(1);
      await executor.run({ kind: 'prefill', rows: [row(0, 2)] });
      expect(inUse()).toEqual(['ReleaseIoBinding', 'ReleaseSession', 'ReleaseSession']);
    } finally {
      finish();
      Object.assign(api, { checkAsync, release });
    }
    await executor.close();
  });

  it('serve a step that needs few of the hook points they open, while the exact one is built behind it', async () => {
    const config = { ...tinyConfig, blocks: 6 };
    const executor = await open({ config, weights: writeTinyWeights(config) });
    const many = Array.from(
      { length: 12 },
      (_, i) => `blocks.${i >> 1}.${i % 2 ? 'hook_resid_post' : 'hook_resid_mid'}`,
    );
    const edits = steered(many.slice(0, 1), 3);
    const valuesOf = async () => {
      const [result] = await executor.run({ kind: 'prefill', rows: [row(0, 3, { edits })] });
      return [...(result?.logits[0]?.topValues ?? [])];
    };
    await executor.prepare({ edits: many, taps: [] });
    const { variantsBuilt } = executor.statistics();
    const { api } = keeper;
    const { createAsync } = api;
    let build = () => {};
    const held = new Promise<void>((resolve) => {
      build = resolve;
    });
    api.createAsync = (name, ...values) => held.then(() => createAsync.call(api, name, ...values));
    const wide = await valuesOf().finally(() => Object.assign(api, { createAsync }));
    expect(executor.statistics().variantFallbackSteps).toBe(1);
    build();
    await vi.waitFor(() => expect(executor.statistics().variantsBuilt).toBe(variantsBuilt + 1));
    const exact = await valuesOf();
    expect(executor.statistics().variantFallbackSteps).toBe(1);
    for (const [k, value] of exact.entries()) expect(Math.abs(value - (wide[k] ?? NaN))).toBeLessThan(1e-4);
    await executor.close();
  });

  it('are prepared for a row in company, where the company edits elsewhere, and serve it alone', async () => {
    const config = { ...tinyConfig, blocks: 6 };
    const executor = await open({ config, weights: writeTinyWeights(config) });
    const many = Array.from(
      { length: 10 },
      (_, i) => `blocks.${i >> 1}.${i % 2 ? 'hook_resid_post' : 'hook_resid_mid'}`,
    );
    const decoding = row(0, 1, { start: 1, edits: steered(many, 1) });
    await executor.run({ kind: 'decode', rows: [decoding] });
    const own = 'blocks.5.hook_resid_mid';
    expect(executor.statistics().variantsBuilt).toBe(2);
    await executor.prepare({ edits: [own], taps: [] });
    // The one for both serves the row alone as well, while its company keeps needing the others.
    expect(executor.statistics().variantsBuilt).toBe(3);
    const edits = steered([own], 1);
    await executor.run({ kind: 'prefill', rows: [row(1, 1, { edits })] });
    await executor.run({ kind: 'decode', rows: [decoding, row(1, 1, { start: 1, edits })] });
    expect(executor.statistics().variantsBuilt).toBe(3);
    // Alone for a while, it gets its own.
    for (let step = 0; step < 8; step++) await executor.run({ kind: 'decode', rows: [row(0, 1, { edits })] });
    await vi.waitFor(() => expect(executor.statistics().variantsBuilt).toBe(4));
    await executor.close();
  });

  it('are all replaced by one with everything open, from warm-up on, until a narrower one is ready', async () => {
    const config = { ...tinyConfig, blocks: 6 };
    const executor = await open({ config, weights: writeTinyWeights(config), warmUp: 'common' });
    const [a, b] = ['blocks.1.hook_resid_mid', 'blocks.4.hook_resid_post'] as const;
    const valuesOf = async (sites: readonly string[]) => {
      const [result] = await executor.run({ kind: 'prefill', rows: [row(0, 3, { edits: editsAt(sites) })] });
      expect(result?.readings.map(({ tokens }) => tokens)).toEqual(sites.map(() => 3));
      return [...(result?.logits[0]?.topValues ?? [])];
    };
    const made = new Map<string, RowStep['edits']>([a, b].map((site) => [site, steered([site], 3)]));
    const editsAt = (sites: readonly string[]) => sites.flatMap((site) => made.get(site) ?? []);
    // Waits for the one that warm-up builds, and for nothing else.
    await executor.prepare({ edits: [a], taps: [] });
    expect(executor.statistics().variantsBuilt).toBe(2);
    const { api } = keeper;
    const { createAsync } = api;
    let build = () => {};
    const held = new Promise<void>((resolve) => {
      build = resolve;
    });
    api.createAsync = (name, ...values) => held.then(() => createAsync.call(api, name, ...values));
    await executor.prepare({ edits: [b], taps: [] });
    await executor.prepare({ edits: [a, b], taps: [] });
    const wide = [await valuesOf([a]), await valuesOf([b]), await valuesOf([a, b])];
    expect(executor.statistics()).toMatchObject({ variantsBuilt: 2, variantFallbackSteps: 3 });
    Object.assign(api, { createAsync });
    build();
    await vi.waitFor(() => expect(executor.statistics().variantsBuilt).toBe(3));
    const narrow = [await valuesOf([a]), await valuesOf([b]), await valuesOf([a, b])];
    for (const [at, values] of wide.entries()) {
      for (const [k, value] of values.entries()) expect(Math.abs(value - (narrow[at]?.[k] ?? NaN))).toBeLessThan(1e-4);
    }
    await executor.close();
  });

  it('leave nothing behind when they are evicted again and again while steps run', async () => {
    const executor = await open({ keptVariants: 3, warmUp: 'common' });
    const edits = siteSets.map((sites) => steered(sites, 1));
    const steps = async (count: number) => {
      for (let at = 0; at < count; at++) {
        // Taps are never served by a variant that has others: one is built and one evicted at nearly every step.
        const taps = at % 2 ? siteSets[(at * 7) % 31] : [];
        const rows = [0, 1].map((slot) => row(slot, 1, { edits: edits[(at * 7 + slot * 3) % 31], taps }));
        await executor.run({ kind: 'decode', rows });
      }
      return keeper.api.liveHandles;
    };
    const some = await steps(100);
    const evicted = executor.statistics().variantsEvicted;
    expect(evicted).toBeGreaterThan(40);
    const many = await steps(300);
    expect(executor.statistics().variantsEvicted).toBeGreaterThan(3 * evicted);
    expect(many).toBeLessThan(some * 1.5);
    expect(executor.statistics().variantsCached).toBeLessThanOrEqual(5);
    await executor.close();
  }, 60_000);

  it('keep the closed one, whatever else is built', async () => {
    const executor = await open();
    for (const taps of siteSets.slice(0, 20)) await executor.prepare({ edits: [], taps });
    const { variantsBuilt } = executor.statistics();
    await executor.run({ kind: 'prefill', rows: [row(0, 2)] });
    expect(executor.statistics().variantsBuilt).toBe(variantsBuilt);
    await executor.close();
  });

  it('a build that fails is told to whoever waits, and the next one works', async () => {
    const executor = await open();
    // A place that is there under another name: blocks.0.hook_resid_post.
    const alias = 'blocks.1.hook_resid_pre';
    const gone = { code: 'hook_point_not_found', message: expect.stringMatching(/blocks\.1\.hook_resid_pre/) };
    const waiting = ['edits', 'taps'].map((kind) => executor.prepare({ edits: [], taps: [], [kind]: [alias] }));
    const good = executor.prepare({ edits: ['blocks.0.hook_resid_mid'], taps: [] });
    for (const failing of waiting) await expect(failing).rejects.toMatchObject(gone);
    await good;
    for (const more of [{ taps: [alias] }, { edits: steered([alias], 2) }]) {
      await expect(executor.run({ kind: 'prefill', rows: [row(0, 2, more)] })).rejects.toMatchObject(gone);
    }
    const edits = steered(['blocks.0.hook_resid_mid'], 2);
    const [result] = await executor.run({ kind: 'prefill', rows: [row(0, 2, { edits })] });
    expect(result?.readings).toHaveLength(1);
    await executor.close();
  });
});

describe('plans that native memory has no room for are refused before anything runs', () => {
  const outside: [string, 'prefill' | 'decode', RowStep[], RegExp][] = [
    ['no row', 'decode', [], /no rows/],
    ['two rows that prefill', 'prefill', [row(0, 2), row(1, 2)], /several rows/],
    ['a slot that is not there', 'prefill', [row(5, 2)], /slot 5/],
    ['more rows than there is room for', 'decode', [0, 1, 2, 3, 4].map((slot) => row(slot, 1)), /5 rows/],
    ['two rows in one slot', 'decode', [row(2, 1), row(2, 1)], /same slot/],
    ['a chunk longer than the room for its logits', 'prefill', [row(0, 17, { logits: 'all' })], /17 tokens/],
    ['tokens beyond the slot', 'prefill', [row(0, 8, { start: 41 })], /position 49 of 48/],
    ['a mask of another length', 'prefill', [row(0, 3, { edits: steered(allSites.slice(0, 1), 2) })], /mask/],
  ];
  it.each(outside)('%s', async (_what, kind, rows, reason) => {
    const executor = await open();
    const { runs } = executor.statistics();
    await expect(executor.run({ kind, rows })).rejects.toThrow(reason);
    expect(executor.statistics().runs).toBe(runs);
    await executor.close();
  });
});
