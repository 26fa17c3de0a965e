import { describe, expect, it } from 'vitest';
import type { RowStep } from '../../../engine/core/index.ts';
import { RuntimeEnvironment } from '../../../engine/runtime/environment.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { KeyValueCache } from '../../../engine/runtime/key-value-cache.ts';
import { NativeMemory } from '../../../engine/runtime/native-memory.ts';
import { testKernels } from '../../harness/kernels.ts';
import { tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const weights = writeTinyWeights();
const kernels = await testKernels();
const row = (slot: number, taps: readonly string[]): RowStep => ({
  requestId: String(slot),
  slot,
  tokens: Int32Array.of(slot + 1),
  start: 0,
  logits: 'last',
  edits: [],
  taps,
});

/** One executor with two sessions, each run forty times in steps of changing shape. */
async function lifetime(): Promise<void> {
  const executor = await openExecutor({ config: tinyConfig, weights, slots: 4, context: 32, threads: 1, kernels });
  for (let run = 0; run < 80; run++) {
    const taps = run % 2 ? ['blocks.0.hook_resid_post'] : [];
    const rows = Array.from({ length: 1 + (run % 4) }, (_, slot) => row(slot, taps));
    await executor.run({ kind: 'decode', rows });
  }
  await executor.close();
}

describe('native handles', () => {
  it('are all released: 50 sessions and 2,000 runs leave none and no memory behind', async () => {
    const keeper = RuntimeEnvironment.acquire({ threads: 1 });
    const before = keeper.api.liveHandles;
    // A window is 50 sessions and 2,000 runs. Leaked, its sessions alone would be some 40 MB, in every window; the allocator's
    // own wandering shows in some and not in others.
    const growth: number[] = [];
    for (let window = 0; window < 4; window++) {
      const rss = process.memoryUsage().rss;
      for (let round = 0; round < 25; round++) await lifetime();
      growth.push(process.memoryUsage().rss - rss);
    }
    expect(Math.min(...growth)).toBeLessThan(8e6);
    expect(keeper.api.liveHandles).toBe(before);
    keeper.release();
    expect(keeper.api.liveHandles).toBe(0);
  });

  it('are released too when making a session fails', async () => {
    const keeper = RuntimeEnvironment.acquire({ threads: 1 });
    const before = keeper.api.liveHandles;
    const broken = { ...weights, tensors: new Map([...weights.tensors].filter(([name]) => !name.includes('up_proj'))) };
    const opening = openExecutor({ config: tinyConfig, weights: broken, slots: 1, context: 8, threads: 1, kernels });
    await expect(opening).rejects.toMatchObject({ code: 'checkpoint_invalid' });
    // ONNX Runtime's attention knows no such cache: whoever asks for it must be told
    const half = { keyValueType: 'float16', kernels: null } as const;
    const impossible = openExecutor({ config: tinyConfig, weights, slots: 1, context: 8, threads: 1, ...half });
    await expect(impossible).rejects.toThrow();
    const library = '/no/such/library.so';
    const missing = openExecutor({ config: tinyConfig, weights, slots: 1, context: 8, threads: 1, kernels: library });
    await expect(missing).rejects.toThrow(library);
    expect(keeper.api.liveHandles).toBe(before);
    keeper.release();
  });
});

describe('steps of many shapes', () => {
  it('keep no more handles and no more memory, however many prompt lengths there were', async () => {
    const keeper = RuntimeEnvironment.acquire({ threads: 1 });
    const config = { ...tinyConfig, contextLength: 1024 };
    const options = { config, weights, slots: 4, context: 1024, threads: 1, maxChunk: 512 };
    const executor = await openExecutor({ ...options, kernels });
    const prefill = async (from: number, to: number) => {
      for (let length = from; length < to; length++) {
        const tokens = new Int32Array(length).fill(length % 300);
        await executor.run({ kind: 'prefill', rows: [{ ...row(length % 4, []), tokens }] });
      }
      return { handles: keeper.api.liveHandles, rss: process.memoryUsage().rss };
    };
    await prefill(500, 512);
    const some = await prefill(1, 100);
    const many = await prefill(100, 500);
    expect(many.handles).toBe(some.handles);
    expect(many.rss - some.rss).toBeLessThan(24e6);
    await executor.close();
    keeper.release();
  });
});

describe('the key-value cache', () => {
  it('holds memory for the tokens it holds: freed and overwritten slots give their pages back', async () => {
    const environment = RuntimeEnvironment.acquire({ threads: 1 });
    const config = { ...tinyConfig, headDim: 64 };
    const context = 16384;
    const cache = new KeyValueCache(environment, config, 2, context, 'float32');
    const slotBytes = cache.tokenBytes * context;
    expect(slotBytes).toBeGreaterThan(30e6);
    const touch = (slot: number) => {
      for (const { memory } of cache.memories) {
        new Uint8Array(memory.buffer, (slot * memory.byteLength) / 2, memory.byteLength / 2).fill(9);
      }
      cache.noteWrite(slot, context);
      return process.memoryUsage().rss;
    };
    const freed = (full: number) => full - process.memoryUsage().rss;
    const both = touch(0) && touch(1);
    await cache.freeSlot(1);
    expect(freed(both)).toBeGreaterThan(0.9 * slotBytes);
    const again = touch(1);
    await cache.copySlot(0, 1, 100);
    expect(freed(again)).toBeGreaterThan(0.9 * slotBytes);
    cache.close();
    environment.release();
  });
});

describe('native memory', () => {
  it('gives back whole pages and reads as zeros afterwards', () => {
    const memory = NativeMemory.reserve(1 << 20);
    const bytes = new Uint8Array(memory.buffer);
    bytes.fill(7);
    memory.discard(16384, 32768);
    expect(bytes[16383]).toBe(7);
    expect(bytes[16384]).toBe(0);
    expect(bytes[49151]).toBe(0);
    expect(bytes[49152]).toBe(7);
    memory.free();
  });

  it('commits nothing before it is written', () => {
    const rss = process.memoryUsage().rss;
    const memory = NativeMemory.reserve(4 * 2 ** 30);
    expect(process.memoryUsage().rss - rss).toBeLessThan(64e6);
    memory.free();
  });
});
