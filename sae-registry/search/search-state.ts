import type Database from 'better-sqlite3';
import { LabelTable, type SourceRow } from './label-table.ts';
import type { FoundFeature, FoundLabel } from './query.ts';
import type { Stemmer } from './stemmer.ts';
import { VectorSearch } from './vector-search.ts';
import { Vocabulary } from './vocabulary.ts';
import { WordSearch } from './word-search.ts';

interface Changes {
  readonly rewritten: number;
  readonly statistics: number;
}

/** What a searcher keeps of the store in memory, and brings up to date before each search: what is new is read, the rest stays. */
export class SearchState {
  readonly vocabulary = new Vocabulary();
  table!: LabelTable;
  words!: WordSearch;
  vectors!: VectorSearch;
  sources: readonly SourceRow[] = [];
  readonly #connection: Database.Database;
  readonly #stemmer: Stemmer;
  readonly #label: Database.Statement<[number]>;
  readonly #density: Database.Statement<[number, number], number>;
  readonly #labelsOf: Database.Statement<[number, number]>;
  #sourceById = new Map<number, SourceRow>();
  /** By a source's row: how many features those before it have. */
  #firstFeature: number[] = [];
  #version: unknown = null;
  #embedder: string | null = null;
  #changes: Changes = { rewritten: -1, statistics: -1 };
  #densities = new Map<number, Float32Array>();

  constructor(connection: Database.Database, stemmer: Stemmer) {
    this.#connection = connection;
    this.#stemmer = stemmer;
    this.#label = connection.prepare('select text, method, author, clarity from labels where id = ?');
    this.#density = connection
      .prepare<[number, number], number>('select density from statistics where source = ? and feature = ?')
      .pluck();
    this.#labelsOf = connection
      .prepare('select id from labels where source = ? and feature = ? order by clarity desc nulls last, id')
      .pluck() as Database.Statement<[number, number]>;
    this.#forget();
  }

  /** Takes in what has changed; whether anything has. In a transaction, so that all of it is of one moment. */
  refresh(embedder: string | null): boolean {
    const version = this.#connection.pragma('data_version', { simple: true });
    if (version === this.#version && embedder === this.#embedder) return false;
    const changes = this.#connection.prepare('select rewritten, statistics from label_changes').get() as Changes;
    const rewritten = changes.rewritten !== this.#changes.rewritten;
    if (rewritten) this.#forget();
    if (rewritten || changes.statistics !== this.#changes.statistics) this.#densities = new Map();
    this.sources = readSources(this.#connection);
    this.#sourceById = new Map(this.sources.map((source) => [source.id, source]));
    this.#countFeatures();
    this.table.readNew(this.#connection);
    this.vocabulary.refresh(this.#connection, this.table.length, rewritten);
    if (rewritten) this.words.readCommon();
    this.vectors.readNew(embedder);
    this.#changes = changes;
    this.#version = version;
    this.#embedder = embedder;
    return true;
  }

  /** Labels up to an id, as a number of slots. */
  slotsUpTo(id: number): number {
    let [low, high] = [0, this.table.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.table.ids.at(middle) <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Densities of a source's features, read when they are first asked for. */
  readonly densities = (source: number): Float32Array | undefined => {
    const known = this.#densities.get(source);
    if (known) return known;
    const row = this.sources.find(({ id }) => id === source);
    if (!row) return undefined;
    const densities = new Float32Array(row.features).fill(Number.NaN);
    const rows = this.#connection.prepare('select feature, density from statistics where source = ?').raw();
    for (const [feature, density] of rows.iterate(source) as IterableIterator<[number, number]>) {
      densities[feature] = density;
    }
    this.#densities.set(source, densities);
    return densities;
  };

  /** One number for each feature of each source; small ones, which maps find fastest. */
  featureKey(slot: number): number {
    return (this.#firstFeature[this.table.sources.at(slot)] as number) + this.table.features.at(slot);
  }

  /** `model/source/index` of a label's feature. */
  idOf(slot: number): string {
    const source = this.sourceOf(slot);
    return `${source.model}/${source.name}/${this.table.features.at(slot)}`;
  }

  sourceOf(slot: number): SourceRow {
    const id = this.table.sources.at(slot);
    const source = this.#sourceById.get(id);
    if (!source) throw new Error(`label ${this.table.ids.at(slot)} is of source ${id}, which is not there`);
    return source;
  }

  label(slot: number): FoundLabel {
    return this.#label.get(this.table.ids.at(slot)) as FoundLabel;
  }

  /** Slots of a feature's labels, the clearest first. */
  labelsOf(source: SourceRow, feature: number): number[] {
    return (this.#labelsOf.all(source.id, feature) as number[]).map((id) => this.table.slotOf(id));
  }

  /** @param slot of the label to show; null: it has none */
  describe(source: SourceRow, index: number, slot: number | null): FoundFeature {
    const density = this.#densityOf(source.id, index);
    return {
      id: `${source.model}/${source.name}/${index}`,
      model: source.model,
      source: source.name,
      index,
      layer: source.layer,
      label: slot === null ? null : this.label(slot),
      // In the shortest form that is the same float32.
      density: density === null ? null : Number(density.toPrecision(7)),
    };
  }

  #densityOf(source: number, feature: number): number | null {
    const known = this.#densities.get(source);
    if (known === undefined) return this.#density.get(source, feature) ?? null;
    const density = known[feature] ?? Number.NaN;
    return Number.isNaN(density) ? null : density;
  }

  #countFeatures(): void {
    let before = 0;
    this.#firstFeature = [];
    for (const { id, features } of this.sources) {
      this.#firstFeature[id] = before;
      before += features;
    }
  }

  #forget(): void {
    this.table = new LabelTable();
    this.words = new WordSearch(this.#connection, this.table, this.#stemmer, this.vocabulary);
    this.vectors = new VectorSearch(this.#connection, this.table);
  }
}

function readSources(connection: Database.Database): SourceRow[] {
  const rows = connection
    .prepare(
      `select id, model, name, layer, features, exists
         (select 1 from sources as now where now.model = its.model and its.name = now.name || '~' || substr(its.hash, -12)) as setAside
       from sources as its order by model, name`,
    )
    .all() as (Omit<SourceRow, 'setAside'> & { readonly setAside: 0 | 1 })[];
  return rows.map(({ setAside, ...source }) => ({ ...source, setAside: setAside === 1 }));
}
