import Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { TillerError } from '../../engine/core/index.ts';
import { readCursor, writeCursor } from './cursor.ts';
import { findFeatures } from './feature-lookup.ts';
import { type Fused, fuse, wordWeight } from './fusion.ts';
import { highlights } from './highlights.ts';
import { type LabelNeighbours, labelNeighbours } from './label-neighbours.ts';
import type {
  FoundFeature,
  RankedFeature,
  SearchFilters,
  SearchHit,
  SearchMode,
  SearchPage,
  SearchQuery,
} from './query.ts';
import { type Scope, scopeOf } from './scope.ts';
import { SearchState } from './search-state.ts';
import { Stemmer } from './stemmer.ts';
import { hasWords } from './tokenizer.ts';

/** Labels that words and meaning each give to be fused: the pages end there. */
const depth = 500;
/** Of what words find, how many are compared with the query's meaning even where that alone would not find them. */
const comparedByWords = 200;
/** A search with more of its scope unembedded than this share is by words alone, unless meaning is asked for. */
const toleratedMissing = 0.01;
/** Results that later pages are served from. */
const rememberedResults = 64;
/** Filters whose labels are remembered: a byte a label each. */
const rememberedScopes = 16;

/** A query as a direction of unit length, and whose it is: the hash of the embedder's files. */
export interface QueryVector {
  readonly values: Float32Array;
  readonly embedder: string;
}

interface KnownScope {
  readonly scope: Scope;
  /** Of its labels, how many have an embedding. */
  readonly done: number;
}

interface Result {
  readonly fused: readonly Fused[];
  readonly mode: SearchMode;
  readonly done: number;
  readonly total: number;
}

/**
 * Searches the labels of a store's file, over a connection of its own that only reads: each search sees one state of the store,
 * the newest. Synchronous: it belongs on a thread where it holds up nobody (search-worker.ts).
 */
export class Searcher {
  readonly #connection: Database.Database;
  readonly #stemmer = new Stemmer();
  readonly #state: SearchState;
  readonly #results = new LRUCache<string, Result>({ max: rememberedResults });
  readonly #scopes = new LRUCache<string, KnownScope>({ max: rememberedScopes });
  /** Whose embeddings are counted and compared; null: nobody's. */
  #embedder: string | null = null;

  readonly #wordWeight: number;

  /**
   * @param path the store's file, which is open elsewhere and has this version's schema
   * @param weight of words in hybrid search; for measurements
   */
  constructor(path: string, weight = wordWeight) {
    this.#wordWeight = weight;
    this.#connection = new Database(path, { readonly: true, fileMustExist: true });
    this.#state = new SearchState(this.#connection, this.#stemmer);
  }

  /**
   * One page of features, best first. Without a vector, or where embeddings are missing, a search that asks for no mode or for
   * hybrid is by words, and the page says so. Throws `invalid_request` (no words, a foreign cursor, a layer or method that nothing
   * has), `model_not_found`, `source_not_found`, and `not_ready` for meaning alone where there is no vector.
   */
  search(query: SearchQuery, vector: QueryVector | null): SearchPage {
    if (!hasWords(query.text)) {
      const message = 'The search text has no words in it. Give at least one.';
      throw new TillerError('invalid_request', message, { param: 'q' });
    }
    return this.#consistently(vector?.embedder ?? null, () => this.#page(query, vector));
  }

  /** These features in the order they are asked for, each with its clearest label. Throws like `findFeatures`. */
  lookup(ids: readonly string[]): FoundFeature[] {
    return this.#consistently(null, () =>
      findFeatures(ids, this.#state).map(({ source, index, slots }) =>
        this.#state.describe(source, index, slots[0] ?? null),
      ),
    );
  }

  /**
   * These features by the cosine of the query and the nearest of their labels, nearest first; those without a label come last.
   * Throws like `lookup`, and `not_ready` where a label has no embedding yet.
   */
  rerank(ids: readonly string[], vector: QueryVector): RankedFeature[] {
    return this.#consistently(vector.embedder, () =>
      findFeatures(ids, this.#state)
        .map(({ source, index, slots }) => {
          const [best] = this.#state.vectors.compare(vector.values, slots);
          const found = this.#state.describe(source, index, best?.slot ?? slots[0] ?? null);
          if (best === undefined && slots.length > 0) throw notEmbedded(found.id);
          return { ...found, similarity: best?.similarity ?? null };
        })
        .sort((a, b) => (b.similarity ?? -2) - (a.similarity ?? -2)),
    );
  }

  /** The features of some sources whose labels mean the same as one's. Throws like `labelNeighbours`. */
  labelNeighbours(feature: string, sources: readonly string[], limit: number): LabelNeighbours {
    const stored = this.#connection.prepare('select embedder from label_embeddings limit 1').pluck();
    return this.#consistently(this.#embedder ?? (stored.get() as string | undefined) ?? null, () =>
      labelNeighbours(this.#state, feature, sources, limit),
    );
  }

  /** Bytes that are held in memory, and for how many labels. */
  memory(): { readonly labels: number; readonly labelBytes: number; readonly embeddingBytes: number } {
    const { table, vectors } = this.#state;
    return { labels: table.length, labelBytes: table.byteLength, embeddingBytes: vectors.byteLength };
  }

  close(): void {
    this.#stemmer.close();
    this.#connection.close();
  }

  /** Runs over what the store holds at the beginning, whatever is written meanwhile. */
  #consistently<T>(embedder: string | null, work: () => T): T {
    this.#embedder = embedder ?? this.#embedder;
    this.#connection.exec('begin');
    try {
      if (this.#state.refresh(this.#embedder)) {
        this.#results.clear();
        this.#scopes.clear();
      }
      return work();
    } finally {
      this.#connection.exec('commit');
    }
  }

  #page(query: SearchQuery, vector: QueryVector | null): SearchPage {
    const cursor = query.cursor === null ? null : readCursor(query, query.cursor);
    const newest = cursor?.newest ?? this.#state.table.lastId;
    const { fused, mode, done, total } = this.#result(query, vector, newest, cursor?.mode ?? null);
    const at = cursor === null ? -1 : fused.findIndex(({ slot }) => this.#state.idOf(slot) === cursor.last);
    const from = cursor !== null && at < 0 ? cursor.given : at + 1;
    const hits = this.#hits(query.text, fused.slice(from, from + query.limit));
    const given = from + hits.length;
    const last = hits.at(-1)?.id;
    const more = last !== undefined && given < fused.length;
    return {
      hits,
      mode,
      embeddings: { done, total },
      next: more ? writeCursor(query, { mode, given, last, newest }) : null,
    };
  }

  /** @param pinned what the pages before were searched with */
  #result(query: SearchQuery, vector: QueryVector | null, newest: number, pinned: SearchMode | null): Result {
    const { text, filters } = query;
    const key = (mode: SearchMode) => JSON.stringify([text, filters, newest, mode]);
    const known = pinned === null ? undefined : this.#results.get(key(pinned));
    if (known) return known;
    const { scope, done } = this.#scope(filters, newest);
    const complete = vector !== null && scope.size - done <= scope.size * toleratedMissing;
    const mode = pinned ?? (query.mode === 'semantic' ? 'semantic' : complete ? (query.mode ?? 'hybrid') : 'lexical');
    const result = { fused: this.#find(text, vector, scope, mode), mode, done, total: scope.size };
    this.#results.set(key(mode), result);
    return result;
  }

  #scope(filters: SearchFilters, newest: number): KnownScope {
    const key = JSON.stringify([filters, newest]);
    const known = this.#scopes.get(key);
    if (known) return known;
    const { table, vectors, sources, densities } = this.#state;
    const scope = scopeOf(filters, table, sources, densities, this.#state.slotsUpTo(newest));
    const its = { scope, done: vectors.count(scope) };
    this.#scopes.set(key, its);
    return its;
  }

  #find(text: string, vector: QueryVector | null, scope: Scope, mode: SearchMode): Fused[] {
    const { words, vectors } = this.#state;
    const featureOf = (slot: number) => this.#state.featureKey(slot);
    const found = mode === 'semantic' ? null : words.search(text, scope, depth);
    if (mode === 'lexical') return fuse(found, null, featureOf);
    if (vector === null) {
      const message = `Labels cannot be searched by meaning yet. Ask for 'mode': 'lexical', or try again later.`;
      throw new TillerError('not_ready', message, { param: 'mode', retryAfterSeconds: 10 });
    }
    const also = found?.labels.slice(0, comparedByWords).map(({ slot }) => slot) ?? [];
    const near = vectors.search(vector.values, scope, depth, also);
    return fuse(found, near, featureOf, this.#wordWeight);
  }

  #hits(text: string, page: readonly Fused[]): SearchHit[] {
    const { table } = this.#state;
    const found = page.map(({ slot }) =>
      this.#state.describe(this.#state.sourceOf(slot), table.features.at(slot), slot),
    );
    const texts = found.map(({ label }) => label?.text ?? '');
    const marks = highlights(text, texts, this.#stemmer);
    return page.map(({ score, lexicalRank, semanticRank, similarity }, at) => ({
      ...(found[at] as FoundFeature),
      score: Number(score.toFixed(6)),
      lexicalRank,
      semanticRank,
      similarity,
      highlights: marks[at] ?? [],
    }));
  }
}

function notEmbedded(id: string): TillerError {
  const message = `The label of ${id} is not embedded yet: labels are embedded in the background.`;
  return new TillerError('not_ready', message, { param: 'features', retryAfterSeconds: 10 });
}
