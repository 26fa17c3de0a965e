import type { EditReading } from '../core/edit-reading.ts';

/** Columns of a packed reading. */
const columns = ['gate', 'sink', 'coefficient', 'readingBefore', 'readingAfter', 'streamNorm'] as const;

/** Copies readings of the same tokens into one array, [edits, columns, tokens]. */
export function packReadings(readings: readonly EditReading[], tokens: number): Float32Array {
  const packed = new Float32Array(readings.length * columns.length * tokens);
  let at = 0;
  for (const reading of readings) {
    for (const column of columns) for (let t = 0; t < tokens; t++) packed[at++] = reading[column](t);
  }
  return packed;
}

/** One edit's reading in what `packReadings` made. */
export class PackedReading implements EditReading {
  readonly tokens: number;
  readonly #packed: Float32Array;
  readonly #first: number;

  /** @param edit the edit's place among the readings that were packed */
  constructor(packed: Float32Array, edit: number, tokens: number) {
    this.#packed = packed;
    this.tokens = tokens;
    this.#first = edit * columns.length * tokens;
  }

  gate(token: number): number {
    return this.#at(0, token);
  }

  sink(token: number): number {
    return this.#at(1, token);
  }

  coefficient(token: number): number {
    return this.#at(2, token);
  }

  readingBefore(token: number): number {
    return this.#at(3, token);
  }

  readingAfter(token: number): number {
    return this.#at(4, token);
  }

  streamNorm(token: number): number {
    return this.#at(5, token);
  }

  #at(column: number, token: number): number {
    return this.#packed[this.#first + column * this.tokens + token] as number;
  }
}
