import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compact, type SlotRow } from '../../../engine/scheduler/slots.ts';

/** A cache whose slots hold the name of the row they belong to. */
function cacheOf(rows: readonly SlotRow[], failing: (from: number) => boolean = () => false) {
  const content = new Map(rows.map((row) => [row.slot, row.requestId]));
  let copies = 0;
  return {
    content,
    copies: () => copies,
    store: {
      copySlot: (from: number, to: number) => {
        if (failing(from)) throw new Error('no');
        copies++;
        content.set(to, content.get(from) ?? '');
      },
      freeSlot: () => {},
    },
  };
}

const rowsArbitrary = fc
  .uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 16 })
  .map((slots) => slots.map((slot) => ({ requestId: `row-${slot}`, slot, tokens: slot + 1 })));

describe('compact', () => {
  it('brings any rows to slots 0 … n−1, with what they hold, and moves only those beyond', () => {
    fc.assert(
      fc.property(rowsArbitrary, (rows) => {
        const beyond = rows.filter((row) => row.slot >= rows.length).length;
        const cache = cacheOf(rows);
        const { rows: packed, failed } = compact(rows, cache.store);
        expect(packed.map((row) => row.slot)).toEqual([...rows.keys()]);
        expect(packed.every((row) => cache.content.get(row.slot) === row.requestId)).toBe(true);
        expect(cache.copies()).toBe(beyond);
        expect(failed).toEqual([]);
      }),
    );
  });

  it('gives up only rows whose copy fails', () => {
    fc.assert(
      fc.property(rowsArbitrary, (rows) => {
        const odd = (slot: number) => slot % 2 === 1;
        const cache = cacheOf(rows, odd);
        const { rows: packed, failed } = compact(rows, cache.store);
        expect(packed.length + failed.length).toBe(rows.length);
        expect(failed.every(({ row }) => odd(row.slot))).toBe(true);
        expect(packed.map((row) => row.slot)).toEqual([...packed.keys()]);
        expect(packed.every((row) => cache.content.get(row.slot) === row.requestId)).toBe(true);
      }),
    );
  });
});
