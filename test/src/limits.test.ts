import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import {
  type Capacity,
  defaultLimits,
  explainLimits,
  memoryBudget,
  modelBytes,
  processBytes,
  readMachine,
  resolveLimits,
  vocabularyBytes,
} from '../../src/limits.ts';

/** Of the default model in f32: tiles, and the embedding as float32. */
const weights = { mapped: 224_700_000, embedding: 113_246_208, packed: 0 };
/** The default model on a machine of 16 GB with two cores. */
const capacity: Capacity = {
  memoryBytes: 16e9,
  weights,
  vocabulary: 49_152,
  tokenBytes: 46_080,
  contextLength: 8192,
  cores: 2,
};
const unset = loadConfig({}, {});

describe('default limits', () => {
  it('give keys and values a quarter of what the model leaves, half of that to prefixes', () => {
    const limits = defaultLimits(capacity);
    expect(limits.keyValueBytes).toBe(Math.floor((16e9 - processBytes - modelBytes(capacity)) / 4));
    expect(limits.prefixCacheBytes).toBe(Math.floor(limits.keyValueBytes / 2));
    expect(limits).toMatchObject({ maxRows: 32, context: 8192 });
  });

  it('take no more than all rows could fill twice over, however large the machine', () => {
    expect(defaultLimits({ ...capacity, memoryBytes: 1e12 }).keyValueBytes).toBe(2 * 32 * 8192 * 46_080);
  });

  it('have fewer rows on one core, and where memory has no room for them', () => {
    expect(defaultLimits({ ...capacity, cores: 1 }).maxRows).toBe(16);
    // 1 GB left: a quarter of it is 5,425 tokens
    const memoryBytes = processBytes + modelBytes(capacity) + 1e9;
    expect(defaultLimits({ ...capacity, memoryBytes }).maxRows).toBe(10);
  });

  it('always serve a row of 512 tokens, for any machine', () => {
    fc.assert(
      fc.property(
        fc.record({
          memoryBytes: fc.integer({ min: 1, max: 1e12 }),
          weights: fc.record({
            mapped: fc.integer({ min: 1, max: 1e11 }),
            embedding: fc.constant(1),
            packed: fc.integer({ min: 0, max: 1e11 }),
          }),
          vocabulary: fc.integer({ min: 1, max: 300_000 }),
          tokenBytes: fc.integer({ min: 64, max: 1e6 }),
          contextLength: fc.integer({ min: 16, max: 200_000 }),
          cores: fc.integer({ min: 1, max: 256 }),
        }),
        (machine) => {
          const { maxRows, keyValueBytes, prefixCacheBytes, context } = defaultLimits(machine);
          expect(maxRows >= 1 && maxRows <= 32).toBe(true);
          expect(keyValueBytes).toBeGreaterThanOrEqual(512 * machine.tokenBytes);
          expect(prefixCacheBytes * 2 <= keyValueBytes).toBe(true);
          expect(context).toBe(machine.contextLength);
        },
      ),
    );
  });
});

describe('configured limits', () => {
  it('come before the defaults, which follow them', () => {
    expect(resolveLimits(unset, capacity)).toEqual(defaultLimits(capacity));
    const settings = { maxRows: null, context: 4096, keyValueBytes: 100e6, prefixCacheBytes: null };
    // 2,170 tokens are room for four rows of 512
    expect(resolveLimits(settings, capacity)).toEqual({
      maxRows: 4,
      context: 4096,
      keyValueBytes: 100e6,
      prefixCacheBytes: 50e6,
    });
    expect(resolveLimits({ ...settings, maxRows: 64, prefixCacheBytes: 0 }, capacity)).toMatchObject({
      maxRows: 64,
      prefixCacheBytes: 0,
    });
  });

  it('never give a row more than the model can read', () => {
    expect(resolveLimits({ ...unset, context: 100_000 }, capacity).context).toBe(8192);
  });

  it('that contradict each other, or hold nothing, are refused by name', () => {
    const settings = { ...unset, keyValueBytes: 64 * 46_080 };
    expect(resolveLimits(settings, capacity).maxRows).toBe(1);
    expect(() => resolveLimits({ ...settings, keyValueBytes: 64 * 46_080 - 1 }, capacity)).toThrow(
      /--kv-cache-bytes .* fewer than 64 tokens .* at least 2949120/,
    );
    expect(() => resolveLimits({ ...settings, prefixCacheBytes: 5e9 }, capacity)).toThrow(
      /--prefix-cache-bytes .* is more than --kv-cache-bytes/,
    );
  });

  it('are told with where they come from', () => {
    const settings = { ...unset, maxRows: 8, prefixCacheBytes: 0 };
    expect(explainLimits(settings, resolveLimits(settings, capacity), capacity.tokenBytes)).toBe(
      "8 rows (as configured), 8192 tokens a row (the model's own limit), " +
        '84,508 tokens of keys and values in all (a quarter of the memory left), no prefix cache (as configured)',
    );
  });
});

describe('the machine', () => {
  it('has memory and cores', () => {
    const { memoryBytes, availableBytes, cores } = readMachine();
    expect(memoryBytes).toBeGreaterThan(1e8);
    expect(availableBytes).toBeLessThanOrEqual(memoryBytes);
    expect(cores).toBeGreaterThanOrEqual(1);
  });
});

describe('several models', () => {
  const capacity = {
    memoryBytes: 16e9,
    weights: { mapped: 4e8, embedding: 1e8, packed: 6e8 },
    vocabulary: 1000,
    tokenBytes: 1e6,
    contextLength: 8192,
    cores: 4,
  };

  it('share the memory for keys and values', () => {
    const alone = defaultLimits(capacity).keyValueBytes;
    expect(defaultLimits({ ...capacity, models: 1 }).keyValueBytes).toBe(alone);
    expect(defaultLimits({ ...capacity, models: 4 }).keyValueBytes).toBe(Math.floor(alone / 4));
  });

  it('have a budget where a single one has none', () => {
    expect(memoryBudget({ memoryBudgetBytes: null, models: ['a'] }, 10e9)).toBeNull();
    expect(memoryBudget({ memoryBudgetBytes: null, models: ['a', 'b'] }, 10e9)).toBe(8e9);
    expect(memoryBudget({ memoryBudgetBytes: 3e9, models: ['a'] }, 10e9)).toBe(3e9);
  });

  it('need what is mapped of their weights and what is packed, and what comes with them', () => {
    expect(modelBytes(capacity)).toBe(1e9 + 1000 * vocabularyBytes);
  });
});
