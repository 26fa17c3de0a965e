import type { FeatureVectors } from './feature-vectors.ts';

/** What becomes of the sums p that the encoder gives: the activations f. */
export type ActivationFunction =
  /** f = max(p, 0) */
  | { readonly kind: 'relu' }
  /** f = max(p, 0) where p > threshold, else 0. Infinity is a feature that never fires. */
  | { readonly kind: 'jumprelu'; readonly thresholds: Float32Array }
  /** The k largest p of a token; `rectified`: those below 0 as 0. */
  | { readonly kind: 'topk'; readonly k: number; readonly rectified: boolean }
  /** The largest p of each of so many equal runs of features, those below 0 as 0. */
  | { readonly kind: 'groupmax'; readonly groups: number };

/**
 * What is done to a token's input before it is read, and undone on what is written: nothing; the norm made √dIn; the mean taken off and
 * divided by the (unbiased) standard deviation + `epsilon`.
 */
export type InputNormalisation =
  | { readonly kind: 'none' }
  | { readonly kind: 'norm' }
  | { readonly kind: 'layer-norm'; readonly epsilon: number };

/** Which model's values a dictionary reads and writes, as its files say it; null where they do not. */
export interface DictionaryPlace {
  readonly modelName: string | null;
  /** Hook point that it reads. */
  readonly hookPoint: string | null;
  /** Hook point that it writes; of an autoencoder the same. */
  readonly hookPointOut: string | null;
}

/**
 * The one description of a dictionary, which every loader fills in:
 * x̃ = inputScale · normalise(x − mean(x) where centred) − inputBias; p = x̃ · encoder + encoderBias; f = activation(p);
 * output = undo((f · decoder + decoderBias) / inputScale) + skip · x.
 */
export interface DictionaryWeights extends DictionaryPlace {
  /** `transcoder`: it writes what it has not read. */
  readonly kind: 'autoencoder' | 'transcoder';
  /** sha256 of its files. */
  readonly hash: string;
  /** dIn wide */
  readonly encoder: FeatureVectors;
  /** dOut wide */
  readonly decoder: FeatureVectors;
  /** [features] */
  readonly encoderBias: Float32Array;
  /** [dOut] */
  readonly decoderBias: Float32Array;
  /** Taken off the input, [dIn] (most often the decoder's bias); null: nothing is. */
  readonly inputBias: Float32Array | null;
  readonly activation: ActivationFunction;
  readonly normalisation: InputNormalisation;
  /** Each token's mean is taken off its input, and put back on the output: made on a stream whose writers were centred. */
  readonly centred: boolean;
  /** Whether `normalisation` (and centring) is undone on the output. */
  readonly undoNormalisation: boolean;
  /** Factor on the input. */
  readonly inputScale: number;
  /** Straight from input to output, [dOut, dIn], row major; null: nothing is. */
  readonly skip: Float32Array | null;
  /**
   * Activations count in lengths of their decoder vectors: p is multiplied by the vector's norm (before the activation function),
   * which then has norm 1; thresholds too.
   */
  readonly foldDecoderNorms: boolean;
}

/** What most formats have in common, for a loader to start from. */
export const plainDictionary = {
  kind: 'autoencoder',
  inputBias: null,
  activation: { kind: 'relu' },
  normalisation: { kind: 'none' },
  centred: false,
  undoNormalisation: true,
  inputScale: 1,
  skip: null,
  foldDecoderNorms: false,
} as const satisfies Partial<DictionaryWeights>;
