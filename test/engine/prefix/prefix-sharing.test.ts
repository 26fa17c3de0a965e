import { describe, expect, it } from 'vitest';
import {
  arrayReading,
  type BlockStore,
  type Edit,
  type EditReading,
  type SharedSequence,
} from '../../../engine/core/index.ts';
import { createPrefixSharing } from '../../../engine/prefix-sharing.ts';
import { editOf, requestFrom } from '../../harness/requests.ts';

const blockTokens = 16;
const blockBytes = 1000;

/** Slots and blocks that hold tokens instead of keys and values. */
function createStore() {
  const slots: number[][] = Array.from({ length: 8 }, () => []);
  const blocks = new Map<number, number[]>();
  const saves: { slot: number; start: number; count: number }[] = [];
  let next = 0;
  let failing = false;
  const store: BlockStore = {
    blockTokens,
    blockBytes,
    async save(slot, start, count) {
      if (failing) throw new Error('no memory');
      saves.push({ slot, start, count });
      return Array.from({ length: count }, (_, at) => {
        const from = start + at * blockTokens;
        blocks.set(next, (slots[slot] as number[]).slice(from, from + blockTokens));
        return next++;
      });
    },
    async load(slot, start, numbers) {
      if (failing) throw new Error('no memory');
      const tokens = numbers.flatMap((number) => blocks.get(number) as number[]);
      slots[slot] = [...(slots[slot] as number[]).slice(0, start), ...tokens];
    },
    free(block) {
      if (!blocks.delete(block)) throw new Error('freed twice');
    },
  };
  return { store, slots, blocks, saves, fail: (on: boolean) => (failing = on) };
}

interface Restored {
  readonly edit: number;
  readonly from: number;
  readonly coefficients: readonly number[];
}

/** A sequence whose readings say where they were read: coefficient = 1000 · edit + position. */
function sequenceOf(
  tokens: readonly number[],
  more: { edits?: readonly Edit[]; promptLength?: number; promptLogprobs?: number } = {},
): SharedSequence & { readonly restored: readonly Restored[]; forgotten: number } {
  const { edits = [], promptLength = tokens.length, promptLogprobs } = more;
  const restored: Restored[] = [];
  return {
    request: requestFrom({ prompt: tokens.slice(0, promptLength), edits, promptLogprobs }),
    length: tokens.length,
    mayTake: Number.POSITIVE_INFINITY,
    mayLeave: Number.POSITIVE_INFINITY,
    restored,
    forgotten: 0,
    tokensBetween: (from, to) => Int32Array.from(tokens.slice(from, to)),
    readingsBetween(edit, from, to) {
      if (from < this.forgotten) return null;
      const values = Float32Array.from({ length: to - from }, (_, at) => 1000 * edit + from + at);
      const nothing = new Float32Array(to - from);
      return arrayReading({
        gate: values.map(() => 1),
        sink: nothing,
        coefficient: values,
        readingBefore: values.map((value) => value + 0.25),
        readingAfter: values.map((value) => value + 0.5),
        streamNorm: values.map((value) => value + 0.75),
      });
    },
    forgetReadings(before) {
      this.forgotten = Math.max(this.forgotten, before);
    },
    restoreReadings(edit: number, from: number, reading: EditReading) {
      const coefficients = Array.from({ length: reading.tokens }, (_, at) => reading.coefficient(at));
      expect(reading.gate(3)).toBe(1);
      expect(reading.sink(3)).toBe(0);
      expect(reading.streamNorm(3)).toBe(reading.coefficient(3) + 0.75);
      expect(reading.readingBefore(3)).toBe(reading.coefficient(3) + 0.25);
      expect(reading.readingAfter(3)).toBe(reading.coefficient(3) + 0.5);
      restored.push({ edit, from, coefficients });
    },
  };
}

const numbers = (length: number, seed = 0) => Array.from({ length }, (_, i) => ((i + seed) * 7919) % 1009);

function setUp(budgetBlocks = 100) {
  const memory = createStore();
  const sharing = createPrefixSharing({ blocks: memory.store, budgetBytes: budgetBlocks * blockBytes, salt: 'test' });
  if (!sharing) throw new Error('no sharing');
  /** As if the slot had computed the tokens. */
  const keep = async (tokens: readonly number[], more: Parameters<typeof sequenceOf>[1] = {}) => {
    const sequence = sequenceOf(tokens, more);
    memory.slots[0] = [...tokens];
    await sharing.keep(sequence, 0, tokens.length);
    return sequence;
  };
  const restore = async (tokens: readonly number[], more: Parameters<typeof sequenceOf>[1] = {}) => {
    const sequence = sequenceOf(tokens, more);
    memory.slots[1] = [];
    const known = sharing.known(sequence);
    const count = await sharing.restore(sequence, 1);
    expect(known).toBe(count);
    expect(memory.slots[1]).toEqual(tokens.slice(0, count));
    return { count, sequence };
  };
  return { ...memory, sharing, keep, restore };
}

describe('sharing prompts', () => {
  it('restores whole blocks of what was kept, and never the newest token', async () => {
    const { keep, restore, sharing, blocks } = setUp();
    await keep(numbers(70));
    expect(sharing.tokens).toBe(64);
    expect((await restore(numbers(70))).count).toBe(64);
    expect((await restore(numbers(64))).count).toBe(48);
    expect((await restore(numbers(65))).count).toBe(64);
    expect((await restore(numbers(15))).count).toBe(0);
    expect((await restore([...numbers(40), 5, 5, 5, 5, 5, 5, 5, 5, 5])).count).toBe(32);
    expect(sharing.statistics()).toEqual({
      queries: 70 + 64 + 65 + 15 + 49,
      hits: 64 + 48 + 64 + 32,
      blocksEvicted: 0,
    });
    expect(blocks.size).toBe(4);
  });

  it('copies only what is not held yet', async () => {
    const { keep, saves, sharing } = setUp();
    await keep(numbers(40));
    await keep(numbers(40));
    await keep(numbers(90));
    await keep([...numbers(48), ...numbers(32, 500)]);
    expect(saves).toEqual([
      { slot: 0, start: 0, count: 2 },
      { slot: 0, start: 32, count: 3 },
      { slot: 0, start: 48, count: 2 },
    ]);
    expect(sharing.tokens).toBe(7 * 16);
  });

  it('hands what edits read to whoever is steered the same way', async () => {
    const { keep, restore } = setUp();
    const edits = [editOf(1, { from: 20, to: 22 }), editOf(2, 'all'), editOf(3, { from: 90, to: 95 })];
    await keep(numbers(48), { edits });
    const { count, sequence } = await restore(numbers(70), { edits });
    expect(count).toBe(48);
    const read = (edit: number, from: number) => ({
      edit,
      from,
      coefficients: Array.from({ length: 16 }, (_, at) => 1000 * edit + from + at),
    });
    expect(sequence.restored).toEqual([read(1, 0), read(0, 16), read(1, 16), read(1, 32)]);
    // an edit that stands elsewhere in another request is the same edit
    const other = await restore(numbers(70), { edits: [editOf(9, { from: 69, to: 70 }), editOf(2, 'all')] });
    expect(other.count).toBe(16);
    expect(other.sequence.restored.map(({ edit, coefficients }) => [edit, coefficients[5]])).toEqual([[1, 1005]]);
    expect((await restore(numbers(70))).count).toBe(0);
  });

  it('holds no steered block whose readings are gone', async () => {
    const { keep, sharing } = setUp();
    const edits = [editOf(1, { from: 20, to: 90 })];
    const sequence = sequenceOf(numbers(64), { edits });
    sequence.forgetReadings(32);
    await sharing.keep(sequence, 0, 64);
    expect(sharing.tokens).toBe(16);
    expect(sequence.forgotten).toBe(64);
    const whole = await keep(numbers(64), { edits });
    expect(sharing.tokens).toBe(64);
    expect(whole.forgotten).toBe(64);
  });

  it('reads nothing for a request that wants the logits of its prompt, which others may read', async () => {
    const { keep, restore, sharing } = setUp();
    await keep(numbers(64), { promptLogprobs: 3 });
    expect((await restore(numbers(70), { promptLogprobs: 0 })).count).toBe(0);
    expect(sharing.statistics().queries).toBe(0);
    expect((await restore(numbers(70))).count).toBe(64);
  });

  it('counts a request once, however often it is preempted', async () => {
    const { keep, sharing } = setUp();
    await keep(numbers(64));
    const sequence = sequenceOf(numbers(50), { promptLength: 40 });
    expect(await sharing.restore(sequence, 1)).toBe(48);
    expect(await sharing.restore(sequence, 1)).toBe(48);
    // no more than the prompt has, though its reply begins like what was kept
    expect(sharing.statistics()).toMatchObject({ queries: 40, hits: 40 });
  });

  it('stays within its budget, and lets the least recently used go', async () => {
    const { keep, restore, sharing, blocks } = setUp(6);
    await keep(numbers(64, 1));
    await keep(numbers(32, 2));
    await restore(numbers(70, 1));
    await keep(numbers(32, 3));
    expect([sharing.tokens, blocks.size]).toEqual([96, 6]);
    expect((await restore(numbers(70, 1))).count).toBe(64);
    expect((await restore(numbers(40, 2))).count).toBe(0);
    expect((await restore(numbers(40, 3))).count).toBe(32);
    // a prompt that can never fit takes what there is
    await keep(numbers(160, 4));
    expect([sharing.tokens, blocks.size]).toEqual([96, 6]);
    expect((await restore(numbers(160, 4))).count).toBe(96);
    expect(sharing.statistics().blocksEvicted).toBe(8);
  });

  it('counts readings as bytes', async () => {
    const { keep, sharing, blocks } = setUp(3);
    // 16 tokens · 24 bytes an edit: three edits add more than a block
    const edits = [editOf(1), editOf(2), editOf(3)];
    await keep(numbers(64), { edits });
    expect([sharing.tokens, blocks.size]).toEqual([16, 1]);
  });

  it('gives way when asked to', async () => {
    const { keep, restore, sharing, blocks } = setUp();
    await keep(numbers(64, 1));
    await keep(numbers(64, 2));
    expect(sharing.evict(17)).toBe(32);
    expect(sharing.tokens).toBe(96);
    expect((await restore(numbers(70, 1))).count).toBe(32);
    expect(sharing.evict(1000)).toBe(96);
    expect([sharing.tokens, blocks.size, sharing.evict(16)]).toEqual([0, 0, 0]);
  });

  it('keeps what is being copied until it has been', async () => {
    const { keep, sharing, store, blocks } = setUp();
    await keep(numbers(64, 1));
    await keep(numbers(64, 2));
    const { load } = store;
    store.load = async (...where) => {
      expect(sharing.evict(1000)).toBe(64);
      await load(...where);
    };
    expect(await sharing.restore(sequenceOf(numbers(70, 1)), 1)).toBe(64);
    expect([sharing.tokens, blocks.size]).toEqual([64, 4]);
  });

  it('rejects when copying fails, and goes on with what it has', async () => {
    const { keep, sharing, fail } = setUp();
    await keep(numbers(32));
    fail(true);
    await expect(keep(numbers(64))).rejects.toThrow('no memory');
    expect(sharing.tokens).toBe(32);
    await expect(sharing.restore(sequenceOf(numbers(64)), 1)).rejects.toThrow('no memory');
    fail(false);
    await keep(numbers(64));
    expect(sharing.evict(100)).toBe(64);
  });

  it('is off where the budget has no room for a block', () => {
    const { store } = createStore();
    expect(createPrefixSharing({ blocks: store, budgetBytes: 0, salt: '' })).toBeNull();
    expect(createPrefixSharing({ blocks: store, budgetBytes: blockBytes - 1, salt: '' })).toBeNull();
    expect(createPrefixSharing({ blocks: store, budgetBytes: blockBytes, salt: '' })).not.toBeNull();
  });
});
