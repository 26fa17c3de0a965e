import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrange, chooseSlot, type SlotRow, shortPrompt } from '../../../engine/scheduler/slots.ts';

/** A cache whose slots hold the name of the row they belong to. */
function cacheOf(rows: readonly SlotRow[], failing: (from: number) => boolean = () => false) {
  const content = new Map(rows.map((row) => [row.slot, row.requestId]));
  const copied: string[] = [];
  const store = {
    copySlot: async (from: number, to: number) => {
      await Promise.resolve();
      if (failing(from)) throw new Error('no');
      copied.push(content.get(from) ?? '');
      content.set(to, content.get(from) ?? '');
    },
    freeSlot: (slot: number) => {
      content.delete(slot);
    },
  };
  return { content, copied, store };
}

const slots = 17;
/** Rows in any of the slots but one, each decoding or prefilling. */
const rowsArbitrary = fc
  .uniqueArray(fc.integer({ min: 0, max: slots - 1 }), { maxLength: slots - 1 })
  .chain((taken) => fc.tuple(fc.constant(taken), fc.array(fc.boolean(), { minLength: slots, maxLength: slots })))
  .map(([taken, decodes]) => {
    const rows = taken.map((slot) => ({ requestId: `row-${slot}`, slot, tokens: slot + 1 }));
    return {
      decoding: rows.filter((row) => decodes[row.slot]),
      prefilling: rows.filter((row) => !decodes[row.slot]),
    };
  });

describe('arrange', () => {
  it('brings decoding rows to slots 0 … n−1 with what they hold, moves only who must, and frees the rest', async () => {
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, async ({ decoding, prefilling }) => {
        const n = decoding.length;
        const must = [...decoding.filter((row) => row.slot >= n), ...prefilling.filter((row) => row.slot < n)].map(
          (row) => row.requestId,
        );
        const cache = cacheOf([...decoding, ...prefilling]);
        const {
          decoding: packed,
          prefilling: others,
          failed,
        } = await arrange(decoding, prefilling, slots, cache.store);
        expect(packed.map((row) => row.slot)).toEqual([...packed.keys()]);
        expect(packed).toHaveLength(n);
        expect(failed).toEqual([]);
        const rows = [...packed, ...others];
        expect(new Map(rows.map((row) => [row.slot, row.requestId]))).toEqual(cache.content);
        expect([...cache.copied].sort()).toEqual([...must].sort());
      }),
    );
  });

  it('gives up only rows whose copy fails', async () => {
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, async ({ decoding, prefilling }) => {
        const odd = (slot: number) => slot % 2 === 1;
        const rows = [...decoding, ...prefilling];
        const cache = cacheOf(rows, odd);
        const {
          decoding: packed,
          prefilling: others,
          failed,
        } = await arrange(decoding, prefilling, slots, cache.store);
        expect(packed.length + others.length + failed.length).toBe(rows.length);
        expect(failed.every(({ row }) => odd(row.slot))).toBe(true);
        expect(packed.map((row) => row.slot)).toEqual([...packed.keys()]);
        expect(new Map([...packed, ...others].map((row) => [row.slot, row.requestId]))).toEqual(cache.content);
      }),
    );
  });
});

describe('chooseSlot', () => {
  const base = { decodeRows: 3, taken: new Set([0, 1, 2]), slots: 8, tokens: 10, oneStep: false, alone: false };

  it('puts a short prompt where it will decode, if nobody is there', () => {
    expect(chooseSlot(base)).toBe(3);
    expect(chooseSlot({ ...base, taken: new Set([0, 1, 2, 3]) })).toBe(7);
    expect(chooseSlot({ ...base, taken: new Set([0, 1, 2, 3, 7]) })).toBe(6);
  });

  it('puts a long one out of the way, unless it is alone', () => {
    expect(chooseSlot({ ...base, tokens: shortPrompt + 1 })).toBe(7);
    expect(chooseSlot({ ...base, tokens: shortPrompt + 1, alone: true })).toBe(3);
  });

  it('fills a hole with a prompt of one step', () => {
    const taken = new Set([0, 2, 3]);
    expect(chooseSlot({ ...base, taken, oneStep: true })).toBe(1);
    expect(chooseSlot({ ...base, taken })).toBe(7);
    expect(chooseSlot({ ...base, oneStep: true })).toBe(3);
  });
});
