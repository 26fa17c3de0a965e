import { totalmem } from 'node:os';
import type Database from 'better-sqlite3';
import { BitRows, bitWidth } from './bit-rows.ts';
import { EmbeddingRows } from './embedding-rows.ts';
import type { LabelTable } from './label-table.ts';
import { bestOf, type Ranked } from './ranking.ts';
import type { Scope } from './scope.ts';

/** Numbers of an embedding. */
export const embeddingWidth = bitWidth;

/** Scopes of so many labels are compared exactly, number by number. */
const exactLabels = 8192;
/** Of a larger scope, how many that differ from the query in the fewest signs are compared exactly (docs/search.md, recall@10). */
const rescored = 2500;
/** The same where each is read from the store, some 5 µs each. */
const rescoredByReading = 1000;
/** Embeddings stay in memory where they take less than this, and less than a sixteenth of the memory; else they are read where they are compared. */
const mostResidentBytes = 512 * 2 ** 20;
const residentShare = 1 / 16;

export interface Near extends Ranked {
  /** Cosine of query and label. */
  readonly similarity: number;
}

/** Which labels are nearest in meaning: exact in small scopes, else the signs first and the numbers of the best of those. */
export class VectorSearch {
  readonly #table: LabelTable;
  readonly #readNew: Database.Statement<[number, string]>;
  readonly #bits = new BitRows();
  readonly #rows: EmbeddingRows;
  #embedder: string | null = null;
  #lastLabel = 0;
  #total = 0;
  /** 1 for each slot whose embedding is there. */
  #embedded = new Uint8Array(0);

  /** @param residentBytes that embeddings may take in memory; signs come on top */
  constructor(connection: Database.Database, table: LabelTable, residentBytes = affordableBytes()) {
    this.#table = table;
    const read = connection
      .prepare('select embedding from label_embeddings where label = ? and embedder = ?')
      .pluck() as Database.Statement<[number, string]>;
    this.#rows = new EmbeddingRows(residentBytes, (slot) => {
      const found = read.get(table.ids.at(slot), this.#embedder ?? '') as Buffer | undefined;
      return found === undefined ? null : new Int8Array(found.buffer, found.byteOffset, found.length);
    });
    this.#readNew = connection
      .prepare('select label, embedding from label_embeddings where label > ? and embedder = ? order by label')
      .raw() as Database.Statement<[number, string]>;
  }

  get byteLength(): number {
    return this.#bits.byteLength + this.#embedded.byteLength + this.#rows.byteLength;
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
      this.#rows.set(slot, values);
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
    const nearest = this.#best(query, slots, most);
    const found = new Set(nearest.map(({ slot }) => slot));
    const others = also.filter((slot) => !found.has(slot));
    return merged(nearest, this.compare(query, others));
  }

  /** These labels by their cosine with the query, nearest first; those without an embedding are left out. */
  compare(query: Float32Array, slots: readonly number[]): Near[] {
    const there = slots.filter((slot) => this.#embedded[slot] === 1);
    return this.#best(query, there, there.length);
  }

  #best(query: Float32Array, slots: readonly number[], most: number): Near[] {
    const cosines = this.#rows.cosines(query, slots);
    return bestOf(slots, cosines, this.#table, most)
      .filter(({ score }) => score > Number.NEGATIVE_INFINITY)
      .map(({ slot, score }) => ({ slot, score, similarity: score }));
  }

  /** A label's embedding, times 127; null where it has none. */
  embeddingOf(slot: number): Int8Array | null {
    return this.#embedded[slot] === 1 ? this.#rows.values(slot) : null;
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
    const accepts = (slot: number) => this.#isIn(scope, slot);
    const wanted = this.#rows.resident ? rescored : rescoredByReading;
    return this.#bits.nearest(query, scope.from, scope.to, Math.max(wanted, most), accepts);
  }

  #makeRoom(labels: number): void {
    this.#rows.makeRoom(labels);
    if (labels <= this.#embedded.length) return;
    const embedded = new Uint8Array(Math.ceil(labels * 1.25) + 1024);
    embedded.set(this.#embedded);
    this.#embedded = embedded;
  }
}

/** Both lists are nearest first. */
function merged(nearest: readonly Near[], others: readonly Near[]): Near[] {
  return others.length === 0 ? [...nearest] : [...nearest, ...others].sort((a, b) => b.score - a.score);
}

function affordableBytes(): number {
  // A container's limit counts where there is one.
  const limit = process.constrainedMemory();
  const memory = limit > 0 && limit < totalmem() ? limit : totalmem();
  return Math.min(mostResidentBytes, memory * residentShare);
}
