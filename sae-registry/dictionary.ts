import { TillerError } from '../engine/core/index.ts';

/** One latent: a = x·encoder + bias, f = a if a > threshold else 0, written along `decoder`. Copies, float32. */
export interface DictionaryFeature {
  readonly encoder: Float32Array;
  readonly bias: number;
  readonly threshold: number;
  readonly decoder: Float32Array;
}

/** A dictionary's weights, in whatever format they came. */
export interface Dictionary {
  /** Width of its input, floats. */
  readonly dIn: number;
  /** Number of features. */
  readonly features: number;
  /** Hook point and model as its own configuration names them; null where it does not say. */
  readonly hookName: string | null;
  readonly modelName: string | null;
  /** sha256 of its files. */
  readonly hash: string;
  /** Memory that its arrays hold. */
  readonly residentBytes: number;
  /** Throws RangeError out of range. */
  feature(index: number): DictionaryFeature;
  /** Activations [tokens, features] of a stream [tokens, dIn], row major. Equal to SAELens's `encode`. */
  encode(stream: Float32Array): Float32Array;
}

export interface DictionaryWeights {
  readonly dIn: number;
  readonly features: number;
  readonly hookName: string | null;
  readonly modelName: string | null;
  readonly hash: string;
  /** [dIn, features], row major */
  readonly encoder: Float32Array;
  /** [features, dIn], row major */
  readonly decoder: Float32Array;
  readonly encoderBias: Float32Array;
  readonly decoderBias: Float32Array;
  /** Null: ReLU. */
  readonly threshold: Float32Array | null;
  /** SAELens `apply_b_dec_to_input`: the decoder's bias is taken off the input. */
  readonly subtractDecoderBias: boolean;
  /** Factor s on the input, folded: W_enc·s, W_dec/s, b_dec/s. */
  readonly inputScale: number;
}

/** Memory behind arrays: a view holds the whole buffer that it looks at, and buffers shared by views count once. */
export function residentBytes(arrays: readonly (Float32Array | Float64Array)[]): number {
  const buffers = new Set(arrays.map(({ buffer }) => buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/**
 * A ReLU or JumpReLU dictionary. SAELens computes p = (s·x − b_dec)·W_enc + b_enc, then f = ReLU(p)·[p > θ]; here
 * e = s·W_enc's column, c = b_enc − b_dec·W_enc, and the threshold is max(θ, 0), which says both conditions at once.
 */
export function createDictionary(weights: DictionaryWeights): Dictionary {
  const { dIn, features, inputScale } = weights;
  const shift = weights.subtractDecoderBias ? weights.decoderBias : new Float32Array(dIn);
  const thresholdOf = (index: number) => Math.max(0, weights.threshold?.[index] ?? 0);
  return {
    dIn,
    features,
    hookName: weights.hookName,
    modelName: weights.modelName,
    hash: weights.hash,
    residentBytes: residentBytes([
      weights.encoder,
      weights.decoder,
      weights.encoderBias,
      weights.decoderBias,
      ...(weights.threshold ? [weights.threshold] : []),
    ]),
    feature(index) {
      if (!(Number.isInteger(index) && index >= 0 && index < features)) {
        throw new RangeError(`feature ${index} of ${features}`);
      }
      const column = Float32Array.from({ length: dIn }, (_, i) => weights.encoder[i * features + index] as number);
      let bias = weights.encoderBias[index] as number;
      for (let i = 0; i < dIn; i++) bias -= (shift[i] as number) * (column[i] as number);
      return {
        encoder: column.map((value) => value * inputScale),
        bias,
        threshold: thresholdOf(index),
        decoder: weights.decoder.slice(index * dIn, (index + 1) * dIn).map((value) => value / inputScale),
      };
    },
    encode(stream) {
      if (stream.length % dIn !== 0) throw new TillerError('internal', `a stream not ${dIn} wide`);
      const tokens = stream.length / dIn;
      const sums = new Float64Array(tokens * features);
      for (let t = 0; t < tokens; t++) sums.set(weights.encoderBias, t * features);
      for (let i = 0; i < dIn; i++) {
        const row = weights.encoder.subarray(i * features, (i + 1) * features);
        for (let t = 0; t < tokens; t++) {
          const x = inputScale * (stream[t * dIn + i] as number) - (shift[i] as number);
          for (let j = 0; j < features; j++)
            sums[t * features + j] = (sums[t * features + j] as number) + x * (row[j] as number);
        }
      }
      return Float32Array.from(sums, (p, at) => (p > thresholdOf(at % features) ? p : 0));
    },
  };
}
