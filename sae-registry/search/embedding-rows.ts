import { createDotModule, rowNumbers } from './dot-module.ts';
import { growTo } from './wasm.ts';

/** Rows whose products are taken at a time. */
const chunkRows = 1024;
const queryBytes = rowNumbers * 2;
const placesAddress = queryBytes;
const sumsAddress = placesAddress + chunkRows * 4;
/** Rows that are read for one comparison and then forgotten. */
const lentAddress = sumsAddress + chunkRows * 4;
const rowsAddress = lentAddress + chunkRows * rowNumbers;
/** Of a query's number, which is at most 1, as 16 bits. */
const queryScale = 32_767;
/** Of a stored number. */
const scale = 127;

/** One row's numbers, from where it is kept; null where it is not there any more. */
export type ReadRow = (row: number) => Int8Array | null;

/** Embeddings of 384 bytes, and their cosines with a query: all of them in memory, or read where they are compared. */
export class EmbeddingRows {
  #module = createDotModule();
  /** Bytes that rows may take in memory. */
  readonly #mostBytes: number;
  readonly #read: ReadRow;
  #resident = true;
  #capacity = 0;

  /** @param mostBytes with more rows than fit, each is read anew by `read` */
  constructor(mostBytes: number, read: ReadRow) {
    this.#mostBytes = mostBytes;
    this.#read = read;
    growTo(this.#module.memory, rowsAddress);
  }

  get byteLength(): number {
    return this.#module.memory.buffer.byteLength;
  }

  /** Whether rows are compared without being read. */
  get resident(): boolean {
    return this.#resident;
  }

  /** Makes room for so many rows, if they are to stay in memory; where they are too many, those that are there are let go. */
  makeRoom(rows: number): void {
    if (!this.#resident || rows <= this.#capacity) return;
    if (rows * rowNumbers > this.#mostBytes) {
      this.#resident = false;
      this.#module = createDotModule();
      growTo(this.#module.memory, rowsAddress);
      return;
    }
    this.#capacity = Math.max(rows, Math.min(rows * 2, Math.floor(this.#mostBytes / rowNumbers)));
    growTo(this.#module.memory, rowsAddress + this.#capacity * rowNumbers);
  }

  /** Takes a row in. Room for it must have been made. */
  set(row: number, values: Int8Array): void {
    if (this.#resident) new Int8Array(this.#module.memory.buffer).set(values, rowsAddress + row * rowNumbers);
  }

  /** A row's numbers, a copy; null of one that is not there. */
  values(row: number): Int8Array | null {
    if (!this.#resident) return this.#read(row)?.slice() ?? null;
    if (row >= this.#capacity) return null;
    return new Int8Array(this.#module.memory.buffer).slice(
      rowsAddress + row * rowNumbers,
      rowsAddress + (row + 1) * rowNumbers,
    );
  }

  /** Cosines of a query of unit length and these rows, in their order; minus infinity of one that is not there any more. */
  cosines(query: Float32Array, rows: readonly number[]): Float32Array {
    const { buffer } = this.#module.memory;
    const numbers = new Int16Array(buffer, 0, rowNumbers);
    for (let i = 0; i < rowNumbers; i++) numbers[i] = Math.round((query[i] as number) * queryScale);
    const cosines = new Float32Array(rows.length);
    for (let from = 0; from < rows.length; from += chunkRows) {
      const some = rows.slice(from, from + chunkRows);
      const missing = this.#place(some);
      this.#module.dots(placesAddress, some.length, this.#resident ? rowsAddress : lentAddress, sumsAddress);
      const sums = new Int32Array(buffer, sumsAddress, some.length);
      for (const [at, sum] of sums.entries()) {
        cosines[from + at] = missing.has(at) ? Number.NEGATIVE_INFINITY : sum / (scale * queryScale);
      }
    }
    return cosines;
  }

  /** Says where the rows lie; which of them are nowhere. */
  #place(rows: readonly number[]): ReadonlySet<number> {
    const { buffer } = this.#module.memory;
    const places = new Uint32Array(buffer, placesAddress, rows.length);
    const missing = new Set<number>();
    if (this.#resident) {
      places.set(rows);
      return missing;
    }
    const lent = new Int8Array(buffer, lentAddress, chunkRows * rowNumbers);
    for (const [at, row] of rows.entries()) {
      places[at] = at;
      const values = this.#read(row);
      if (values === null) missing.add(at);
      else lent.set(values, at * rowNumbers);
    }
    return missing;
  }
}
