import { type ArrayReading, arrayReading, type EditReading, zeroReadingValues } from './core/edit-reading.ts';

/** Numbers kept of one token: the six of an EditReading. */
const width = 6;
const none = new Float32Array();

/**
 * What a request's edits read, token by token, until the prefix cache has taken it over: 24 bytes for each edit and token. It
 * covers one stretch of positions; where an edit touched nothing it holds zeros.
 */
export class ReadingLog {
  #from = 0;
  #to = 0;
  readonly #columns = new Map<number, Float32Array>();
  #closed = false;

  /** Adds a step's tokens, from position `start` on. Positions that are covered already are written again. */
  append(start: number, tokens: number, readings: Iterable<readonly [edit: number, reading: EditReading]>): void {
    if (this.#closed || start + tokens <= this.#from) return;
    if (start > this.#to) this.#reset(start);
    this.#to = Math.max(this.#to, start + tokens);
    for (const [edit, reading] of readings) {
      const column = this.#column(edit);
      for (let at = Math.max(0, this.#from - start); at < tokens; at++) {
        const place = (start + at - this.#from) * width;
        column[place] = reading.gate(at);
        column[place + 1] = reading.sink(at);
        column[place + 2] = reading.coefficient(at);
        column[place + 3] = reading.readingBefore(at);
        column[place + 4] = reading.readingAfter(at);
        column[place + 5] = reading.streamNorm(at);
      }
    }
  }

  /** Copies of what an edit read at positions `from` … `to` − 1; null where that is not all there. */
  between(edit: number, from: number, to: number): ArrayReading | null {
    if (this.#closed || from < this.#from || to > this.#to) return null;
    const values = zeroReadingValues(to - from);
    // shorter than what is covered where the edit touched nothing of late
    const column = this.#columns.get(edit) ?? none;
    for (let at = 0; at < to - from; at++) {
      const place = (from + at - this.#from) * width;
      if (place >= column.length) break;
      values.gate[at] = column[place] as number;
      values.sink[at] = column[place + 1] as number;
      values.coefficient[at] = column[place + 2] as number;
      values.readingBefore[at] = column[place + 3] as number;
      values.readingAfter[at] = column[place + 4] as number;
      values.streamNorm[at] = column[place + 5] as number;
    }
    return arrayReading(values);
  }

  /** Positions before this one are not asked for again. */
  forget(before: number): void {
    if (before <= this.#from) return;
    if (before >= this.#to) {
      this.#reset(before);
      return;
    }
    for (const column of this.#columns.values()) {
      const gone = (before - this.#from) * width;
      column.copyWithin(0, gone);
      column.fill(0, Math.max(0, column.length - gone));
    }
    this.#from = before;
  }

  /** Remembers nothing more. */
  close(): void {
    this.#closed = true;
    this.#columns.clear();
  }

  #reset(at: number): void {
    this.#from = at;
    this.#to = at;
    for (const column of this.#columns.values()) column.fill(0);
  }

  /** An edit's numbers, with room for all that is covered. */
  #column(edit: number): Float32Array {
    const needed = (this.#to - this.#from) * width;
    const column = this.#columns.get(edit);
    if (column && column.length >= needed) return column;
    const longer = new Float32Array(Math.max(needed, 2 * (column?.length ?? 0)));
    if (column) longer.set(column);
    this.#columns.set(edit, longer);
    return longer;
  }
}
