/** What a registry answers about a feature. Structurally equal to the port of routes, which this folder may not import. */
export interface FeatureSummary {
  /** `model/source/index` */
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
    readonly p999: number;
    readonly mean: number;
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
  /** What one unit of write adds to the feature's own reading; null where it does not read what it writes. */
  readonly encoderDotDecoder: number | null;
}
