import type Database from 'better-sqlite3';
import { Column } from './columns.ts';

/** Labels that are longer count as if they were so long. */
export const mostCharacters = 4095;

export interface SourceRow {
  readonly id: number;
  readonly model: string;
  readonly name: string;
  readonly layer: number | null;
  readonly features: number;
  /** Whether it went aside (`name~hash`) for other weights that now have its name: it is searched only where it is asked for. */
  readonly setAside: boolean;
}

type LabelRow = [id: number, source: number, feature: number, length: number, method: string, clarity: number | null];

/**
 * What ranking and filters need of every label, in memory: 20 bytes a label. A label's slot is its place in the order of ids, so
 * new labels come at the end. Texts stay in the store.
 */
export class LabelTable {
  readonly ids = new Column((length) => new Uint32Array(length));
  readonly sources = new Column((length) => new Uint32Array(length));
  readonly features = new Column((length) => new Uint32Array(length));
  /** Characters of the label's text, at most `mostCharacters`. */
  readonly lengths = new Column((length) => new Uint16Array(length));
  /** Place of its method in `methods`. */
  readonly methodOf = new Column((length) => new Uint16Array(length));
  /** NaN where nobody says. */
  readonly clarities = new Column((length) => new Float32Array(length));
  readonly methods: string[] = [];
  /** Slot by id, plus one; 0: no such label. */
  #slots = new Uint32Array(1024);
  #totalLength = 0;

  get length(): number {
    return this.ids.length;
  }

  get lastId(): number {
    return this.length === 0 ? 0 : this.ids.at(this.length - 1);
  }

  get averageLength(): number {
    return this.length === 0 ? 1 : this.#totalLength / this.length;
  }

  get byteLength(): number {
    const columns = [this.ids, this.sources, this.features, this.lengths, this.methodOf, this.clarities];
    return columns.reduce((sum, column) => sum + column.byteLength, this.#slots.byteLength);
  }

  /** Slot of a label's id; -1 where it is not in the table. */
  slotOf(id: number): number {
    return (this.#slots[id] ?? 0) - 1;
  }

  /** Takes in labels that came after the last one. */
  readNew(connection: Database.Database): void {
    const rows = connection
      .prepare(
        `select id, source, feature, min(length(text), ${mostCharacters}), method, clarity
         from labels where id > ? order by id`,
      )
      .raw();
    const methods = new Map(this.methods.map((method, at) => [method, at]));
    for (const row of rows.iterate(this.lastId)) this.#add(row as LabelRow, methods);
  }

  #add([id, source, feature, length, method, clarity]: LabelRow, methods: Map<string, number>): void {
    let place = methods.get(method);
    if (place === undefined) {
      place = this.methods.push(method) - 1;
      methods.set(method, place);
    }
    this.#setSlot(id, this.length);
    this.ids.push(id);
    this.sources.push(source);
    this.features.push(feature);
    this.lengths.push(length);
    this.methodOf.push(place);
    this.clarities.push(clarity ?? Number.NaN);
    this.#totalLength += length;
  }

  #setSlot(id: number, slot: number): void {
    if (id >= this.#slots.length) {
      const larger = new Uint32Array(Math.max(id + 1, this.#slots.length * 2));
      larger.set(this.#slots);
      this.#slots = larger;
    }
    this.#slots[id] = slot + 1;
  }
}
