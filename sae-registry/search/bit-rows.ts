import { countBits, createHammingModule, rowBytes } from './hamming-module.ts';
import { growTo } from './wasm.ts';

/** Rows that are compared at a time. */
const chunkRows = 8192;
const outAddress = 64;
const rowsAddress = outAddress + 4 * (chunkRows + 16);
/** A bit vector's widths: only this one is there. */
export const bitWidth = rowBytes * 8;

/** The signs of many vectors, one bit a number, and which of them differ from a query's the least. 48 bytes a vector. */
export class BitRows {
  readonly #module = createHammingModule();
  #capacity = 0;

  get byteLength(): number {
    return this.#module.memory.buffer.byteLength;
  }

  /** Writes one vector's signs. @param values of width `bitWidth` */
  set(row: number, values: ArrayLike<number>): void {
    if (row >= this.#capacity) this.#grow(row + 1);
    writeSigns(new Uint8Array(this.#module.memory.buffer, rowsAddress + row * rowBytes, rowBytes), values);
  }

  /**
   * Of the rows [from, to) that are accepted, the `wanted` that differ from the query in the fewest signs, ascending; of those at
   * the last count the first.
   */
  nearest(
    query: ArrayLike<number>,
    from: number,
    to: number,
    wanted: number,
    accepts: (row: number) => boolean,
  ): number[] {
    const last = Math.min(to, this.#capacity);
    writeSigns(new Uint8Array(this.#module.memory.buffer, 0, rowBytes), query);
    const found = new Found(wanted);
    for (let row = from; row < last; row += chunkRows) {
      const count = Math.min(chunkRows, last - row);
      const end = this.#module.near(rowsAddress + row * rowBytes, count, found.limit, outAddress);
      const near = new Uint32Array(this.#module.memory.buffer, outAddress, (end - outAddress) / 4);
      for (const packed of near) {
        const place = row + (packed >>> countBits);
        if (accepts(place)) found.add(place, packed & ((1 << countBits) - 1));
      }
    }
    return found.rows();
  }

  #grow(rows: number): void {
    this.#capacity = Math.max(rows, Math.ceil(this.#capacity * 1.25), 4096);
    growTo(this.#module.memory, rowsAddress + this.#capacity * rowBytes);
  }
}

/** Rows that may be among the nearest so far, and the count above which none can be any more. */
class Found {
  /** What has more differing signs is not needed. */
  limit = bitWidth;
  readonly #wanted: number;
  readonly #counts = new Uint32Array(bitWidth + 1);
  /** Rows that are not above the limit. */
  #within = 0;
  readonly #rows: number[] = [];
  readonly #distances: number[] = [];

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  add(row: number, distance: number): void {
    if (distance > this.limit || (distance === this.limit && this.#within >= this.#wanted)) return;
    this.#rows.push(row);
    this.#distances.push(distance);
    this.#counts[distance] = (this.#counts[distance] as number) + 1;
    this.#within++;
    while (this.limit > 0 && this.#within - (this.#counts[this.limit] as number) >= this.#wanted) {
      this.#within -= this.#counts[this.limit--] as number;
    }
  }

  rows(): number[] {
    let room = this.#wanted - (this.#within - (this.#counts[this.limit] as number));
    return this.#rows.filter((_, at) => {
      const distance = this.#distances[at] as number;
      return distance < this.limit || (distance === this.limit && room-- > 0);
    });
  }
}

function writeSigns(bytes: Uint8Array, values: ArrayLike<number>): void {
  for (let byte = 0; byte < bytes.length; byte++) {
    let bits = 0;
    for (let bit = 0; bit < 8; bit++) if ((values[byte * 8 + bit] as number) > 0) bits |= 1 << bit;
    bytes[byte] = bits;
  }
}
