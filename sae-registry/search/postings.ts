import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import type { LabelTable } from './label-table.ts';
import { quoted } from './tokenizer.ts';

/** Bytes of what is remembered. A word that stands in more than a thirty-second of a million labels takes 125 KB. */
const mostBytes = 64 * 2 ** 20;

/** The labels that a word stands in, as slots ascending: a list, or one bit a label where they are many. */
export interface Posting {
  readonly list: Uint32Array | null;
  readonly bits: Uint32Array | null;
  readonly count: number;
  /** Newest label that was looked at. */
  readonly upTo: number;
}

const nothing: Posting = { list: new Uint32Array(0), bits: null, count: 0, upTo: 0 };

/**
 * Which labels have a word: asked of the full-text index once, then kept; of labels that come later only those are asked for. It is
 * this that makes common words cheap.
 */
export class Postings {
  readonly #table: LabelTable;
  readonly #select: Database.Statement<[string, number]>;
  readonly #known = new LRUCache<string, Posting>({ maxSize: mostBytes, sizeCalculation: bytesOf });

  constructor(connection: Database.Database, table: LabelTable) {
    this.#table = table;
    this.#select = connection
      .prepare('select rowid from labels_text where labels_text match ? and rowid > ?')
      .pluck() as Database.Statement<[string, number]>;
  }

  get byteLength(): number {
    return this.#known.calculatedSize;
  }

  /** @param word any word of that stem, as it is asked of the index */
  of(word: string, stem: string): Posting {
    const known = this.#known.get(stem) ?? nothing;
    const newest = this.#table.lastId;
    if (known.upTo === newest) return known;
    const slots: number[] = [];
    for (const id of this.#select.all(quoted(word), known.upTo) as number[]) {
      const slot = this.#table.slotOf(id);
      if (slot >= 0) slots.push(slot);
    }
    const posting = extended(known, slots, this.#table.length, newest);
    this.#known.set(stem, posting);
    return posting;
  }
}

/** Slots from `from` to `to` in ascending order. */
export function eachSlot({ list, bits }: Posting, from: number, to: number, visit: (slot: number) => void): void {
  if (list !== null) {
    for (let at = firstAtLeast(list, from); at < list.length; at++) {
      const slot = list[at] as number;
      if (slot >= to) return;
      visit(slot);
    }
    return;
  }
  const words = bits ?? new Uint32Array(0);
  for (let at = from >>> 5; at < words.length && at << 5 < to; at++) {
    for (let word = words[at] as number; word !== 0; word &= word - 1) {
      const slot = (at << 5) + 31 - Math.clz32(word & -word);
      if (slot >= from && slot < to) visit(slot);
    }
  }
}

export function hasSlot({ list, bits }: Posting, slot: number): boolean {
  if (bits !== null) return (((bits[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 1;
  return list !== null && list[firstAtLeast(list, slot)] === slot;
}

function extended(known: Posting, slots: readonly number[], labels: number, upTo: number): Posting {
  const count = known.count + slots.length;
  if (known.bits === null && count <= labels >>> 5) {
    const list = new Uint32Array(count);
    list.set(known.list ?? []);
    list.set(slots, known.count);
    return { list, bits: null, count, upTo };
  }
  const bits = new Uint32Array((labels >>> 5) + 1);
  const add = (slot: number) => (bits[slot >>> 5] = (bits[slot >>> 5] as number) | (1 << (slot & 31)));
  if (known.bits !== null) bits.set(known.bits);
  known.list?.forEach(add);
  slots.forEach(add);
  return { list: null, bits, count, upTo };
}

function firstAtLeast(list: Uint32Array, slot: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bytesOf({ list, bits }: Posting): number {
  return (list?.byteLength ?? 0) + (bits?.byteLength ?? 0) + 64;
}
