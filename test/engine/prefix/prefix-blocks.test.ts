import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Executor, ModelConfig, RowStep } from '../../../engine/core/index.ts';
import { RuntimeEnvironment } from '../../../engine/runtime/environment.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { KeyValueCache } from '../../../engine/runtime/key-value-cache.ts';
import { blockTokens, PrefixBlocks } from '../../../engine/runtime/prefix-blocks.ts';
import { testKernels } from '../../harness/kernels.ts';
import { tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

/** The default model's shape of cache, without its weights. */
const wide: ModelConfig = { ...tinyConfig, blocks: 30, keyValueHeads: 3, headDim: 64 };
const context = 8192;

describe('block memory', () => {
  let environment: RuntimeEnvironment;
  let cache: KeyValueCache;
  let blocks: PrefixBlocks;
  beforeAll(() => {
    environment = RuntimeEnvironment.acquire({ threads: 1 });
    cache = new KeyValueCache(environment, wide, 9, context, 'float32');
    blocks = new PrefixBlocks(cache);
  });
  afterAll(() => {
    blocks.close();
    cache.close();
    environment.release();
  });
  const rss = () => process.memoryUsage().rss;

  /** Writes a number that tells memory, head, position and place in the head apart. */
  function fill(slot: number, tokens: number, salt: number): void {
    cache.noteWrite(slot, tokens);
    cache.memories.forEach(({ memory }, m) => {
      cache.headOffsets(slot, 0).forEach((offset, head) => {
        const values = new Float32Array(memory.buffer, offset, tokens * wide.headDim);
        for (let i = 0; i < values.length; i++) values[i] = ((m * 3 + head) * 524_288 + i + salt) % 16_777_213;
      });
    });
  }

  function differences(slot: number, tokens: number, salt: number): number {
    let wrong = 0;
    cache.memories.forEach(({ memory }, m) => {
      cache.headOffsets(slot, 0).forEach((offset, head) => {
        const values = new Float32Array(memory.buffer, offset, tokens * wide.headDim);
        for (let i = 0; i < values.length; i++) {
          if (values[i] !== ((m * 3 + head) * 524_288 + i + salt) % 16_777_213) wrong++;
        }
      });
    });
    return wrong;
  }

  it('costs nothing before it is used, and brings a slot’s content into another one bit for bit', async () => {
    const before = rss();
    fill(0, 160, 1);
    const filled = rss();
    expect(filled - before).toBeLessThan(1.5 * 160 * cache.tokenBytes);
    const saved = await blocks.save(0, 0, 10);
    expect(rss() - filled).toBeLessThan(1.5 * 10 * blocks.blockBytes);
    expect(blocks.blockBytes).toBe(blockTokens * 46_080);
    await blocks.load(8, 0, saved);
    expect(differences(8, 160, 1)).toBe(0);
    // blocks may be put together from different runs
    fill(1, 160, 77);
    const others = await blocks.save(1, 0, 10);
    await blocks.load(2, 0, [...others.slice(0, 4), ...others.slice(4)]);
    expect(differences(2, 160, 77)).toBe(0);
    for (const slot of [0, 1, 2, 8]) await cache.freeSlot(slot);
    for (const block of [...saved, ...others]) blocks.free(block);
    expect(blocks.size).toBe(0);
    expect(rss() - before).toBeLessThan(8e6);
  });

  it('gives back what single blocks took, and hands none out twice', async () => {
    fill(0, 1024, 5);
    const saved = await blocks.save(0, 0, 64);
    const full = rss();
    for (const block of saved.filter((_, at) => at % 2 === 1)) blocks.free(block);
    expect(full - rss()).toBeGreaterThan(0.9 * 32 * blocks.blockBytes);
    const again = await blocks.save(0, 512, 32);
    expect(new Set([...saved.filter((_, at) => at % 2 === 0), ...again]).size).toBe(64);
    await blocks.load(3, 512, again);
    // whether it is somebody's again by now or nobody's
    if (!again.includes(saved[1] as number)) expect(() => blocks.free(saved[1] as number)).toThrow(/twice/);
    for (const block of [...saved.filter((_, at) => at % 2 === 0), ...again]) blocks.free(block);
    expect(() => blocks.free(saved[0] as number)).toThrow(/twice/);
    expect(blocks.size).toBe(0);
    await cache.freeSlot(0);
    await cache.freeSlot(3);
  });

  it('lets the event loop turn while a thousand tokens are copied', async () => {
    fill(0, 1008, 9);
    let turns = 0;
    let copying = true;
    const count = () => {
      turns++;
      if (copying) setImmediate(count);
    };
    setImmediate(count);
    const saved = await blocks.save(0, 0, 63);
    const afterSave = turns;
    await blocks.load(4, 0, saved);
    const afterLoad = turns;
    await cache.copySlot(4, 5, 1008);
    copying = false;
    expect(differences(5, 1008, 9)).toBe(0);
    for (const more of [afterSave, afterLoad - afterSave, turns - afterLoad]) expect(more).toBeGreaterThanOrEqual(8);
    for (const slot of [0, 4, 5]) await cache.freeSlot(slot);
    for (const block of saved) blocks.free(block);
  });

  it('holds nothing that is not finite, and nothing outside the slot', async () => {
    fill(0, 48, 3);
    const last = cache.memories.at(-1)?.memory as { buffer: ArrayBuffer };
    new Float32Array(last.buffer, cache.headOffsets(0, 20)[2] as number, 1)[0] = Number.NaN;
    await expect(blocks.save(0, 0, 3)).rejects.toMatchObject({ code: 'step_failed' });
    expect(blocks.size).toBe(0);
    expect(await blocks.save(0, 32, 1)).toHaveLength(1);
    await expect(blocks.save(0, context - 16, 2)).rejects.toMatchObject({ code: 'step_failed' });
    await expect(blocks.load(9, 0, [])).rejects.toMatchObject({ code: 'step_failed' });
    await expect(cache.copySlot(0, 9, 16)).rejects.toMatchObject({ code: 'step_failed' });
  });
});

describe('block memory of a cache in half precision', () => {
  it('holds nothing that is not finite, and takes nothing finite for it', async () => {
    const environment = RuntimeEnvironment.acquire({ threads: 1 });
    const cache = new KeyValueCache(environment, { ...tinyConfig, blocks: 1 }, 2, 64, 'float16');
    const blocks = new PrefixBlocks(cache);
    const last = cache.memories.at(-1)?.memory as { buffer: ArrayBuffer };
    for (const bits of [0x7e00, 0xfe00, 0x7c00, 0xfc00]) {
      for (const place of [0, 1]) {
        const values = new Uint16Array(last.buffer, cache.headOffsets(0, 5)[1], 2);
        values[place] = bits;
        await expect(blocks.save(0, 0, 2)).rejects.toMatchObject({ code: 'step_failed' });
        expect(blocks.size).toBe(0);
        // the largest number that there is
        values.fill(0xfbff);
      }
    }
    const saved = await blocks.save(0, 0, 1);
    await blocks.load(1, 0, saved);
    expect([...new Uint16Array(last.buffer, cache.headOffsets(1, 5)[1], 2)]).toEqual([0xfbff, 0xfbff]);
    blocks.close();
    cache.close();
    environment.release();
  });
});

describe.each(['float32', 'float16'] as const)('blocks of a model whose cache holds %s', (keyValueType) => {
  const weights = writeTinyWeights(tinyConfig, 3);
  const options = { config: tinyConfig, weights, slots: 2, context: 64, threads: 1, maxChunk: 64, keyValueType };
  let executor: Executor;
  beforeAll(async () => {
    executor = await openExecutor({ ...options, kernels: await testKernels() });
  });
  afterAll(() => executor.close());
  const row = (slot: number, tokens: number[], start: number): RowStep => ({
    requestId: 'a',
    slot,
    tokens: Int32Array.from(tokens),
    start,
    logits: 'last',
    edits: [],
    taps: [],
  });
  const logitsOf = async (step: RowStep) => {
    const [result] = await executor.run({ kind: 'prefill', rows: [step] });
    return result?.logits[0]?.full().slice() as Float32Array;
  };

  it('stand for the tokens that made them, in any slot, the spare one too', async () => {
    const prompt = Array.from({ length: 40 }, (_, i) => 3 + ((i * 37) % 200));
    const whole = await logitsOf(row(0, prompt, 0));
    const saved = await executor.blocks.save(0, 0, 2);
    executor.freeSlot(0);
    for (const slot of [1, 2]) {
      await executor.blocks.load(slot, 0, saved);
      const continued = await logitsOf(row(slot, prompt.slice(32), 32));
      expect(Math.max(...whole.map((value, i) => Math.abs(value - (continued[i] as number))))).toBeLessThan(1e-5);
    }
    // and for no other tokens
    await executor.blocks.load(1, 0, [saved[0] as number, saved[0] as number]);
    const other = await logitsOf(row(1, prompt.slice(32), 32));
    expect(Math.max(...whole.map((value, i) => Math.abs(value - (other[i] as number))))).toBeGreaterThan(1e-3);
    for (const block of saved) executor.blocks.free(block);
  });

  it('are copied between steps, and before the memory goes', async () => {
    const other = await openExecutor({ ...options, kernels: await testKernels() });
    const prompt = Array.from({ length: 32 }, (_, i) => 5 + i);
    const run = other.run({ kind: 'prefill', rows: [row(0, prompt, 0)] });
    const saving = other.blocks.save(0, 0, 2);
    const closing = other.close();
    await run;
    const saved = await saving;
    expect(saved).toHaveLength(2);
    await closing;
    for (const block of saved) other.blocks.free(block);
  });
});
