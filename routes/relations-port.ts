import type { FeatureSummary } from './services.ts';

/** Another feature and what it has to do with the one that was asked about. */
export interface RelatedFeature extends FeatureSummary {
  readonly hookPoint: string;
  /** A cosine, or a weight. */
  readonly value: number;
  /** What x·encoder has to exceed for it to fire, its bias taken off; null where that alone does not say it. */
  readonly effectiveThreshold: number | null;
}

export interface TokenWeight {
  readonly tokenId: number;
  readonly token: string;
  readonly value: number;
}

export interface FeatureLogits {
  readonly feature: FeatureSummary;
  readonly top: readonly TokenWeight[];
  readonly bottom: readonly TokenWeight[];
}

export interface VirtualWeights {
  readonly feature: FeatureSummary;
  readonly hookPoint: string;
  readonly readers: readonly {
    readonly source: string;
    readonly hookPoint: string;
    readonly raised: readonly RelatedFeature[];
    readonly lowered: readonly RelatedFeature[];
  }[];
  /** Of the tokens that were asked for; null: none were. */
  readonly logits: readonly TokenWeight[] | null;
}

export interface SourcePair {
  readonly a: number;
  readonly b: number;
  readonly cosine: number;
}

interface MatchingReport {
  readonly meanCosine: number;
  readonly medianCosine: number;
  readonly found: readonly {
    readonly threshold: number;
    readonly pairs: number;
    readonly shareOfA: number;
    readonly shareOfB: number;
  }[];
}

interface Candidates<T> {
  readonly count: number;
  readonly best: readonly T[];
}

interface SplitCandidate {
  readonly feature: number;
  readonly parts: readonly { readonly feature: number; readonly cosine: number }[];
}

interface AbsorbedCandidate {
  readonly feature: number;
  readonly into: number;
  readonly cosine: number;
  readonly pairedWith: number;
  readonly pairCosine: number;
}

export interface SourceComparison {
  readonly featuresOfA: number;
  readonly featuresOfB: number;
  readonly stability: number;
  readonly greedy: MatchingReport;
  readonly optimal: MatchingReport;
  readonly pairs: readonly SourcePair[];
  readonly splitInB: Candidates<SplitCandidate>;
  readonly splitInA: Candidates<SplitCandidate>;
  readonly absorbedInB: Candidates<AbsorbedCandidate>;
  readonly absorbedInA: Candidates<AbsorbedCandidate>;
}

/** How features belong together: exact, from the matrices alone. One request is worked on at a time; more wait (`queue_full`). */
export interface RelationService {
  /** Throws feature_not_found, source_not_found, invalid_request (a source of another width). */
  neighbours(
    query: {
      readonly feature: string;
      readonly by: 'decoder' | 'encoder';
      /** Null: every source of that width. */
      readonly sources: readonly string[] | null;
      readonly limit: number;
    },
    signal: AbortSignal,
  ): Promise<{
    readonly feature: FeatureSummary;
    readonly neighbours: readonly RelatedFeature[];
    readonly sources: readonly string[];
    readonly compared: number;
  }>;
  /** Throws feature_not_found, edit_not_applicable where it does not write to the stream. */
  logits(feature: string, limit: number, signal: AbortSignal): Promise<FeatureLogits>;
  /** Throws as `logits`, invalid_request for a source that reads earlier, or a text that is no one token. */
  virtualWeights(
    query: {
      readonly feature: string;
      /** Null: every source that reads later in the stream. */
      readonly sources: readonly string[] | null;
      readonly tokens: readonly (string | number)[] | null;
      readonly limit: number;
    },
    signal: AbortSignal,
  ): Promise<VirtualWeights>;
  /** Throws source_not_found, invalid_request (other widths), unsupported (too many features). */
  compare(model: string | null, a: string, b: string, signal: AbortSignal): Promise<SourceComparison>;
}
