import type { FeatureSummary } from './services.ts';

/** What makes features neighbours. */
export const neighbourMeasures = ['decoder', 'encoder', 'label', 'cofiring'] as const;
export type NeighbourMeasure = (typeof neighbourMeasures)[number];

/** Another feature and what it has to do with the one that was asked about. */
export interface RelatedFeature extends FeatureSummary {
  readonly hookPoint: string;
  /** A cosine, or a weight. */
  readonly value: number;
  /** What x·encoder has to exceed for it to fire, its bias taken off; null where that alone does not say it. */
  readonly effectiveThreshold: number | null;
}

export interface Neighbour extends RelatedFeature {
  /** By co-firing: tokens on which it fires, and on which both do; null else. */
  readonly cofiring: { readonly fired: number; readonly together: number } | null;
}

export interface NeighbourAnswer {
  readonly feature: FeatureSummary;
  readonly neighbours: readonly Neighbour[];
  /** Ids of the sources that were looked through. */
  readonly sources: readonly string[];
  /** Features, by label: labels. */
  readonly compared: number;
  /** By label: those that are not embedded yet; null else. */
  readonly notEmbedded: number | null;
  /** By co-firing: over how many tokens, on how many of these the feature fires, and the version of the statistics that were kept; null else. */
  readonly counted: { readonly tokens: number; readonly fired: number; readonly version: string | null } | null;
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
  readonly similarity: number;
}

interface MatchingReport {
  readonly meanSimilarity: number;
  readonly medianSimilarity: number;
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
  readonly parts: readonly { readonly feature: number; readonly similarity: number }[];
}

interface AbsorbedCandidate {
  readonly feature: number;
  readonly into: number;
  readonly similarity: number;
  readonly pairedWith: number;
  readonly pairSimilarity: number;
}

export interface SourceComparison {
  readonly by: 'decoder' | 'activation';
  readonly featuresOfA: number;
  readonly featuresOfB: number;
  /** All, or by activation those that fire on enough tokens. Shares are shares of these. */
  readonly comparedOfA: number;
  readonly comparedOfB: number;
  /** By activation: over how many tokens; null else. */
  readonly tokens: number | null;
  readonly stability: number;
  readonly greedy: MatchingReport;
  readonly optimal: MatchingReport;
  readonly pairs: readonly SourcePair[];
  readonly splitInB: Candidates<SplitCandidate>;
  readonly splitInA: Candidates<SplitCandidate>;
  readonly absorbedInB: Candidates<AbsorbedCandidate>;
  readonly absorbedInA: Candidates<AbsorbedCandidate>;
}

/** How features belong together. One request is worked on at a time; more wait (`queue_full`). */
export interface RelationService {
  /**
   * Throws feature_not_found, source_not_found, invalid_request (a source of another width, sources or texts that do not go with the
   * measure), statistics_missing (no label, nothing collected), not_ready (a label that is not embedded yet), and what reading throws.
   */
  neighbours(
    query: {
      readonly feature: string;
      readonly by: NeighbourMeasure;
      /** Null: every source that can be compared. */
      readonly sources: readonly string[] | null;
      /** Token sequences to count co-firing on; null: what was collected. */
      readonly sequences: readonly Int32Array[] | null;
      readonly limit: number;
    },
    signal: AbortSignal,
  ): Promise<NeighbourAnswer>;
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
  /** Throws source_not_found, invalid_request (other widths, texts without tokens that count), unsupported (too many features), and what reading throws. */
  compare(
    query: {
      readonly model: string | null;
      readonly a: string;
      readonly b: string;
      /** Token sequences: by the correlation of activations on them; null: by the cosines of decoder vectors. */
      readonly sequences: readonly Int32Array[] | null;
    },
    signal: AbortSignal,
  ): Promise<SourceComparison>;
}
