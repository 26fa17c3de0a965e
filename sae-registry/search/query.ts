/** What is searched for, and what comes back: plain values, as they travel between threads. */

/** What a search may be made with: words, meaning, or both. */
export const searchModes = ['hybrid', 'lexical', 'semantic'] as const;
export type SearchMode = (typeof searchModes)[number];

/** Empty lists and nulls do not narrow anything. */
export interface SearchFilters {
  readonly model: string | null;
  /** Ids `model/name`, or names alone. */
  readonly sources: readonly string[];
  /** Blocks of the sources' hook points. */
  readonly layers: readonly number[];
  /** Share of tokens on which a feature is active, both ends included. Features without statistics are left out. */
  readonly density: { readonly min: number | null; readonly max: number | null } | null;
  /** How a label was made. */
  readonly methods: readonly string[];
}

export const noFilters: SearchFilters = { model: null, sources: [], layers: [], density: null, methods: [] };

export interface SearchQuery {
  readonly text: string;
  readonly filters: SearchFilters;
  /** Null: hybrid where the embeddings are there, else lexical. */
  readonly mode: SearchMode | null;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor: string | null;
}

/** Half-open range of Unicode code points in a label's text. */
export interface Highlight {
  readonly start: number;
  readonly end: number;
}

export interface FoundLabel {
  readonly text: string;
  readonly method: string;
  readonly author: string;
  readonly clarity: number | null;
}

/** A feature with the label that was found. */
export interface FoundFeature {
  /** `model/source/index`. */
  readonly id: string;
  readonly model: string;
  readonly source: string;
  readonly index: number;
  readonly layer: number | null;
  /** Null of a feature that was looked up and has none. */
  readonly label: FoundLabel | null;
  readonly density: number | null;
}

export interface SearchHit extends FoundFeature {
  /** Higher is better; only within one search. */
  readonly score: number;
  /** Its places among the matches by words and by meaning, from 1; null where it is not among them. */
  readonly lexicalRank: number | null;
  readonly semanticRank: number | null;
  /** Cosine of the query and the label, of what is found by meaning. */
  readonly similarity: number | null;
  readonly highlights: readonly Highlight[];
}

/** Labels in scope whose embedding is there. */
export interface EmbeddingProgress {
  readonly done: number;
  readonly total: number;
}

export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** What was searched with. */
  readonly mode: SearchMode;
  readonly embeddings: EmbeddingProgress;
  readonly next: string | null;
}

/** A feature in the order of its meaning's nearness; `similarity` is null of one without a label. */
export interface RankedFeature extends FoundFeature {
  readonly similarity: number | null;
}
