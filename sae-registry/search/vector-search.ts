import type Database from 'better-sqlite3';
import { BitRows, bitWidth } from './bit-rows.ts';
import type { LabelTable } from './label-table.ts';
import { byStanding, type Ranked, rounded } from './ranking.ts';
import type { Scope } from './scope.ts';

/** Numbers of an embedding. */
export const embeddingWidth = bitWidth;

/** Scopes of so many labels are compared exactly, number by number. */
const exactLabels = 8192;
/**
 * Of a larger scope, how many that differ from the query in the fewest signs are compared exactly. Of the bundled labels, the 64 of
 * 4,096 that differ least hold 0.96 of the ten nearest to a question, 128 hold 0.99 (bench/search/queries.jsonl).
 */
const rescored = 2500;
/** Embeddings of stores up to so many labels stay in memory (100 MB); of larger ones they are read where they are compared. */
const residentLabels = 262_144;
/** The scale of stored numbers. */
const scale = 127;

export interface Near extends Ranked {
  /** Cosine of query and label. */
  readonly similarity: number;
}

/** Which labels are nearest in meaning: exact in small scopes, else the signs first and the numbers of the best of those. */
export class VectorSearch {
  readonly #table: LabelTable;
  readonly #read: Database.Statement<[number, string]>;
  readonly #readNew: Database.Statement<[number, string]>;
  readonly #bits = new BitRows();
  #embedder: string | null = null;
  #lastLabel = 0;
  #total = 0;
  /** 1 for each slot whose embedding is there. */
  #embedded = new Uint8Array(0);
  #resident: Int8Array | null = new Int8Array(0);

  constructor(connection: Database.Database, table: LabelTable) {
    this.#table = table;
    this.#read = connection
      .prepare('select embedding from label_embeddings where label = ? and embedder = ?')
      .pluck() as Database.Statement<[number, string]>;
    this.#readNew = connection
      .prepare('select label, embedding from label_embeddings where label > ? and embedder = ? order by label')
      .raw() as Database.Statement<[number, string]>;
  }

  get byteLength(): number {
    return this.#bits.byteLength + this.#embedded.byteLength + (this.#resident?.byteLength ?? 0);
  }

  /** Takes in the embeddings that came after the last one; all of them where the embedder is another one. */
  readNew(embedder: string | null): void {
    if (embedder !== this.#embedder) {
      this.#embedder = embedder;
      this.#lastLabel = 0;
      this.#total = 0;
      this.#embedded.fill(0);
    }
    if (embedder === null) return;
    this.#makeRoom(this.#table.length);
    for (const row of this.#readNew.iterate(this.#lastLabel, embedder)) {
      const [label, embedding] = row as [number, Buffer];
      const slot = this.#table.slotOf(label);
      if (slot < 0 || embedding.length !== embeddingWidth) continue;
      const values = new Int8Array(embedding.buffer, embedding.byteOffset, embeddingWidth);
      this.#bits.set(slot, values);
      this.#resident?.set(values, slot * embeddingWidth);
      this.#embedded[slot] = 1;
      this.#total++;
      this.#lastLabel = label;
    }
  }

  /** How many labels of the scope have an embedding. */
  count(scope: Scope): number {
    if (scope.mask === null && scope.size === this.#table.length) return this.#total;
    let count = 0;
    for (let slot = scope.from; slot < scope.to; slot++) if (this.#isIn(scope, slot)) count++;
    return count;
  }

  /**
   * The nearest labels of the scope, nearest first, and those of `also` wherever they stand.
   * @param query of unit length
   */
  search(query: Float32Array, scope: Scope, most: number, also: readonly number[] = []): Near[] {
    const slots = this.count(scope) <= exactLabels ? this.#all(scope) : this.#likely(query, scope, most);
    const wanted = new Set(also);
    const near = this.compare(query, wanted.size === 0 ? slots : [...new Set([...slots, ...also])]);
    return near.filter(({ slot }, at) => at < most || wanted.has(slot));
  }

  /** These labels by their cosine with the query, nearest first; those without an embedding are left out. */
  compare(query: Float32Array, slots: readonly number[]): Near[] {
    const near: Near[] = [];
    for (const slot of slots) {
      const values = this.#embedded[slot] === 1 ? this.#valuesOf(slot) : null;
      if (values === null) continue;
      const similarity = rounded(dot(query, values) / scale);
      near.push({ slot, score: similarity, similarity });
    }
    return near.sort((a, b) => b.score - a.score || byStanding(this.#table, a.slot, b.slot));
  }

  /** A label's embedding, times 127; null where it has none. Not kept: it is overwritten when labels come. */
  embeddingOf(slot: number): Int8Array | null {
    return this.#embedded[slot] === 1 ? this.#valuesOf(slot) : null;
  }

  #isIn(scope: Scope, slot: number): boolean {
    return this.#embedded[slot] === 1 && (scope.mask === null || scope.mask[slot] === 1);
  }

  #all(scope: Scope): number[] {
    const slots: number[] = [];
    for (let slot = scope.from; slot < scope.to; slot++) if (this.#isIn(scope, slot)) slots.push(slot);
    return slots;
  }

  /** Those that differ from the query in the fewest signs. */
  #likely(query: Float32Array, scope: Scope, most: number): number[] {
    const distances = this.#bits.distances(query, scope.from, scope.to);
    const wanted = Math.max(rescored, most);
    const counts = new Uint32Array(embeddingWidth + 1);
    const [embedded, { mask }] = [this.#embedded, scope];
    for (let slot = scope.from; slot < scope.to; slot++) {
      if (embedded[slot] !== 1 || (mask !== null && mask[slot] !== 1)) continue;
      const distance = distances[slot] as number;
      counts[distance] = (counts[distance] as number) + 1;
    }
    let [limit, nearer] = [0, 0];
    while (nearer + (counts[limit] as number) < wanted && limit < embeddingWidth) nearer += counts[limit++] as number;
    // All that are nearer than the limit, and the first of those at it.
    let room = wanted - nearer;
    const slots: number[] = [];
    for (let slot = scope.from; slot < scope.to; slot++) {
      const distance = distances[slot] as number;
      if (distance > limit || (distance === limit && room === 0) || !this.#isIn(scope, slot)) continue;
      if (distance === limit) room--;
      slots.push(slot);
    }
    return slots;
  }

  #valuesOf(slot: number): Int8Array | null {
    if (this.#resident !== null) {
      return this.#resident.subarray(slot * embeddingWidth, (slot + 1) * embeddingWidth);
    }
    const read = this.#read.get(this.#table.ids.at(slot), this.#embedder ?? '') as Buffer | undefined;
    return read === undefined ? null : new Int8Array(read.buffer, read.byteOffset, read.length);
  }

  #makeRoom(labels: number): void {
    if (labels <= this.#embedded.length) return;
    const room = Math.ceil(labels * 1.25) + 1024;
    const embedded = new Uint8Array(room);
    embedded.set(this.#embedded);
    this.#embedded = embedded;
    if (labels > residentLabels) this.#resident = null;
    if (this.#resident === null) return;
    const resident = new Int8Array(room * embeddingWidth);
    resident.set(this.#resident);
    this.#resident = resident;
  }
}

function dot(query: Float32Array, values: Int8Array): number {
  // Four sums side by side: each need not wait for the one before.
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let at = 0; at < embeddingWidth; at += 4) {
    a += (query[at] as number) * (values[at] as number);
    b += (query[at + 1] as number) * (values[at + 1] as number);
    c += (query[at + 2] as number) * (values[at + 2] as number);
    d += (query[at + 3] as number) * (values[at + 3] as number);
  }
  return a + b + c + d;
}
