import { createHammingModule, growTo, rowBytes } from './hamming-module.ts';

/** Rows that are compared at a time: their counts pass through a region of the module's memory. */
const chunkRows = 65_536;
const outAddress = 64;
const rowsAddress = outAddress + 2 * chunkRows;
/** A bit vector's widths: only this one is there. */
export const bitWidth = rowBytes * 8;

/** The signs of many vectors, one bit a number, and how many of them differ from a query's. 48 bytes a vector. */
export class BitRows {
  readonly #module = createHammingModule();
  #capacity = 0;
  #distances = new Uint16Array(0);

  get byteLength(): number {
    return this.#module.memory.buffer.byteLength + this.#distances.byteLength;
  }

  /** Writes one vector's signs. @param values of width `bitWidth` */
  set(row: number, values: ArrayLike<number>): void {
    if (row >= this.#capacity) this.#grow(row + 1);
    writeSigns(new Uint8Array(this.#module.memory.buffer, rowsAddress + row * rowBytes, rowBytes), values);
  }

  /** Differing signs of rows [from, to) and the query: one count a row, at its own index. Overwritten by the next call. */
  distances(query: ArrayLike<number>, from: number, to: number): Uint16Array {
    const last = Math.min(to, this.#capacity);
    writeSigns(new Uint8Array(this.#module.memory.buffer, 0, rowBytes), query);
    if (this.#distances.length < this.#capacity) this.#distances = new Uint16Array(this.#capacity);
    for (let row = from; row < last; row += chunkRows) {
      const count = Math.min(chunkRows, last - row);
      this.#module.distances(rowsAddress + row * rowBytes, count, outAddress);
      this.#distances.set(new Uint16Array(this.#module.memory.buffer, outAddress, count), row);
    }
    return this.#distances;
  }

  #grow(rows: number): void {
    this.#capacity = Math.max(rows, Math.ceil(this.#capacity * 1.25), 4096);
    growTo(this.#module.memory, rowsAddress + this.#capacity * rowBytes);
  }
}

function writeSigns(bytes: Uint8Array, values: ArrayLike<number>): void {
  for (let byte = 0; byte < bytes.length; byte++) {
    let bits = 0;
    for (let bit = 0; bit < 8; bit++) if ((values[byte * 8 + bit] as number) > 0) bits |= 1 << bit;
    bytes[byte] = bits;
  }
}
