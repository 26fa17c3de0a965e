/** The port of features: read of texts, known, and found. */
import type { Edit, SparseActivations } from '../engine/core/index.ts';

export interface FeatureReadingRequest {
  readonly sequences: Iterable<Int32Array> | AsyncIterable<Int32Array>;
  /** Names or ids; null: all of the model's. */
  readonly sources: readonly string[] | null;
  /** Most activations that are told of a token and source; of more the largest (SparseActivations.active says how many there were). */
  readonly limit: number;
  /** What is done to the stream meanwhile; features are read before the edits of their own hook point. */
  readonly edits?: readonly Edit[];
  readonly signal?: AbortSignal | null;
}

/** What was read of one sequence. */
export interface SequenceFeatures {
  readonly tokenIds: Int32Array;
  readonly sources: readonly {
    readonly id: string;
    /** Where it reads. */
    readonly hookPoint: string;
    /** Norm beyond which a token is an attention sink, where the dictionary says nothing; null where that is not known. */
    readonly sinkNorm: number | null;
    /** Feature indices and activations. */
    readonly activations: SparseActivations;
  }[];
}

/** How healthy a dictionary is, on some texts. First tokens and attention sinks do not count, and are left as they are. */
export interface DictionaryHealth {
  readonly source: string;
  readonly texts: number;
  /** Tokens that counted. */
  readonly tokens: number;
  readonly explainedVariance: number;
  readonly l0: number;
  readonly features: number;
  /** Features that fired on none of these tokens: of few tokens many are silent that are not dead. */
  readonly silentFeatures: number;
  /** Mean cross-entropy of the tokens that follow those that count, in nats. */
  readonly loss: {
    /** Of the model as it is; splicing in the reconstruction together with its error is this. */
    readonly plain: number;
    /** With the reconstruction in place of what it describes. */
    readonly spliced: number;
    /** With zeros there. */
    readonly zeroed: number;
  };
  /** (zeroed − spliced) / (zeroed − plain): 1 is no loss at all. */
  readonly lossRecovered: number;
}

export interface ActivationSearchRequest {
  readonly tokenIds: Int32Array;
  readonly sources: readonly string[] | null;
  readonly by: 'max' | 'mean' | 'count';
  /** Features of each source. */
  readonly limit: number;
  readonly signal?: AbortSignal | null;
}

export interface ActivationSearch {
  readonly sources: readonly {
    readonly id: string;
    readonly hookPoint: string;
    /** Positions that do not count. */
    readonly ignored: readonly number[];
    /** Positions where more features fire than were looked at. */
    readonly truncated: readonly number[];
    /** Best first. */
    readonly features: readonly (FeatureSummary & {
      readonly max: number;
      /** Over all positions that count. */
      readonly mean: number;
      readonly count: number;
      /** Of its maximum. */
      readonly position: number;
    })[];
  }[];
}

export interface FeatureSummary {
  /** `model/source/index`. */
  readonly id: string;
  readonly model: string;
  readonly source: string;
  readonly index: number;
  readonly label: string | null;
  /** Higher is a better match; only within one search. */
  readonly score?: number;
}

export interface FeatureDetail extends FeatureSummary {
  readonly hookPoint: string;
  readonly labels: readonly {
    readonly text: string;
    readonly method: string;
    readonly author: string;
    readonly clarity: number | null;
    /** How well it tells where the feature fires; the higher the better. */
    readonly scores: readonly {
      readonly method: string;
      readonly author: string;
      readonly score: number;
      readonly judgements: number | null;
    }[];
  }[];
  readonly statistics: {
    readonly density: number;
    readonly max: number;
    /** 99.9th percentile of its non-zero activations: the unit `max_activation`. */
    readonly p999: number;
    /** Of non-zero activations. */
    readonly mean: number;
    /** Counts of non-zero activations in equal bins from 0 to max. */
    readonly histogram: readonly number[];
    readonly version: string;
  } | null;
  readonly topLogits: readonly string[];
  readonly bottomLogits: readonly string[];
  readonly topTokens: readonly string[];
  /** Passages on which it fires, strongest first: the peak, and the activation on each token where it is known. */
  readonly examples: readonly {
    readonly tokens: readonly string[];
    readonly value: number;
    readonly values: readonly number[] | null;
  }[];
  /** Dot product of encoder and decoder rows: what one unit of write adds to the reading; null where a feature does not read what it writes. */
  readonly encoderDotDecoder: number | null;
}

export const searchModes = ['hybrid', 'lexical', 'semantic'] as const;
export type SearchMode = (typeof searchModes)[number];

/** Empty lists and nulls do not narrow anything. */
export interface FeatureSearchQuery {
  readonly text: string;
  readonly filters: {
    readonly model: string | null;
    /** Ids `model/name`, or names alone. */
    readonly sources: readonly string[];
    readonly layers: readonly number[];
    /** Share of tokens on which a feature is active, both ends included. */
    readonly density: { readonly min: number | null; readonly max: number | null } | null;
    /** How a label was made. */
    readonly methods: readonly string[];
  };
  /** Null: both where the embeddings are there, else words alone. */
  readonly mode: SearchMode | null;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor: string | null;
}

/** A feature as search knows it. */
export interface FoundFeature {
  /** `model/source/index`. */
  readonly id: string;
  readonly model: string;
  readonly source: string;
  readonly index: number;
  readonly layer: number | null;
  /** The label that was found; of a feature that was looked up its clearest, null where it has none. */
  readonly label: {
    readonly text: string;
    readonly method: string;
    readonly author: string;
    readonly clarity: number | null;
  } | null;
  readonly density: number | null;
}

export interface FeatureHit extends FoundFeature {
  /** Higher is a better match; only within one search. */
  readonly score: number;
  /** From 1; null where it is not among those found by words, or by meaning. */
  readonly lexicalRank: number | null;
  readonly semanticRank: number | null;
  readonly similarity: number | null;
  /** Half-open ranges of Unicode code points of the label. */
  readonly highlights: readonly { readonly start: number; readonly end: number }[];
}

export interface FeatureSearchAnswer {
  readonly hits: readonly FeatureHit[];
  /** What was searched with. */
  readonly mode: SearchMode;
  /** Why it was words alone where nobody asked for that. */
  readonly reason: string | null;
  /** Labels in the searched scope whose embedding is there. */
  readonly embeddings: { readonly done: number; readonly total: number };
  readonly next: string | null;
}

export interface FeatureService {
  /**
   * Throws model_not_found, source_not_found, invalid_request (no words, a layer or method that nothing has, a cursor of another
   * search), and, of search by meaning alone, not_ready and model_unavailable.
   */
  search(query: FeatureSearchQuery): Promise<FeatureSearchAnswer>;
  /** In the order of the ids. Throws model_not_found, source_not_found, feature_not_found with the entry's place. */
  lookup(ids: readonly string[]): Promise<readonly FoundFeature[]>;
  /** Nearest in meaning first, those without a label last. Throws as `lookup`, not_ready, model_unavailable. */
  rerank(
    text: string,
    ids: readonly string[],
  ): Promise<readonly (FoundFeature & { readonly similarity: number | null })[]>;
  /** Throws model_not_found, source_not_found, feature_not_found with the nearest names. */
  get(model: string, source: string, index: string): FeatureDetail;
}
