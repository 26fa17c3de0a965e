/** The port of contrasts: two data sets, and what tells them apart inside the model. */
import type { FeatureSummary, VectorVersion } from './services.ts';

/** One text or conversation of a data set. */
export interface ContrastItem {
  readonly tokenIds: Int32Array;
  /** Tokens that `mean` and `all` are about, half open; the first position never counts. */
  readonly own: { readonly from: number; readonly to: number };
  /** The token of its answer; null where it has none. */
  readonly answer: number | null;
  /** Items of one topic are held out together. */
  readonly topic: string | null;
  /** Where it stood: `pairs[3].positive`. */
  readonly param: string;
}

export const contrastPositions = ['last', 'mean', 'all', 'answer'] as const;
export type ContrastPositions = (typeof contrastPositions)[number];

/** docs/contrast.md, "Methods". */
export const contrastMethodNames = [
  'difference_of_means',
  'paired_pca',
  'paired_pca_center',
  'logistic',
  'mass_mean',
] as const;
export type ContrastMethodName = (typeof contrastMethodNames)[number];

export interface ContrastRequest {
  readonly positive: readonly ContrastItem[];
  readonly negative: readonly ContrastItem[];
  /** Item i of one class belongs to item i of the other. */
  readonly paired: boolean;
  readonly method: ContrastMethodName;
  readonly positions: ContrastPositions;
  /** Of several the one with the best held-out score is taken; null: the stream in the middle half of the blocks. */
  readonly hookPoints: readonly string[] | null;
  readonly folds: number;
  /** What to say of the sources' features; null: nothing. */
  readonly features: {
    /** Names or ids; null: all of the model. */
    readonly sources: readonly string[] | null;
    readonly by: 'auroc' | 'difference';
    /** Of each source. */
    readonly limit: number;
  } | null;
  /** How many features nearest to the vector to name. */
  readonly nearest: number;
  /** Saves the vector; null: does not. */
  readonly saveAs: { readonly name: string; readonly description: string } | null;
  readonly signal: AbortSignal;
}

/** An area under the ROC curve with its 95 % interval. */
export interface ContrastAuroc {
  readonly auroc: number;
  readonly low: number;
  readonly high: number;
}

/** One hook point's part in a contrast. */
export interface ContrastPlace {
  readonly hookPoint: string;
  /** On held-out folds. */
  readonly heldOut: ContrastAuroc;
  /** Held-out means of the classes apart, in standard deviations within them. */
  readonly effectSize: number;
}

export interface ContrastVector {
  readonly hookPoint: string;
  /** In the stream's own units: added once it takes the negative mean to the positive one, as far as it goes along it. */
  readonly values: Float32Array;
  /** Its length. */
  readonly norm: number;
  /** Its length in median norms of the stream there; null where nobody measured those. */
  readonly relativeNorm: number | null;
  readonly heldOut: ContrastAuroc;
  readonly effectSize: number;
  /** The AUROC of choosing the hook point too, each fold at what is best on the others; null for one place, and for two folds. */
  readonly heldOutWithChoice: ContrastAuroc | null;
  /** Projections on its unit direction: the probe that it is. */
  readonly probe: { readonly positiveMean: number; readonly negativeMean: number; readonly deviation: number };
  readonly nearest: readonly (FeatureSummary & { readonly hookPoint: string; readonly cosine: number })[];
  readonly saved: VectorVersion | null;
}

export interface ContrastFeature extends FeatureSummary {
  readonly positiveMean: number;
  readonly negativeMean: number;
  readonly difference: number;
  /** Items on which it is active. */
  readonly positiveItems: number;
  readonly negativeItems: number;
  readonly auroc: number;
}

export interface Contrast {
  readonly items: { readonly positive: number; readonly negative: number; readonly topics: number };
  readonly tokens: number;
  readonly folds: number;
  readonly vector: ContrastVector;
  readonly hookPoints: readonly ContrastPlace[];
  /** What a logistic regression over the tokens' presence reaches on the same folds. */
  readonly bagOfWords: ContrastAuroc;
  readonly sources: readonly {
    readonly id: string;
    readonly hookPoint: string;
    /** Tokens of which the weakest activations were left out. */
    readonly truncatedTokens: number;
    readonly features: readonly ContrastFeature[];
  }[];
}
