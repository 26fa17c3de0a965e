import { TillerError } from '../engine/core/index.ts';
import { activate, thresholdOf } from './activation-function.ts';
import { norms } from './decoder-norms.ts';
import { type DictionaryPlace, type DictionaryWeights, plainDictionary } from './dictionary-weights.ts';
import { tokenScale } from './input-normalisation.ts';

/** One feature's own numbers. Copies, float32. */
export interface DictionaryFeature {
  /** p = x·encoder + bias, of an input that no normalisation changes. */
  readonly encoder: Float32Array;
  readonly bias: number;
  /** It is active where p exceeds this; meaningless where `readsByRow` is false. */
  readonly threshold: number;
  /** What one unit of activation adds to the output. */
  readonly decoder: Float32Array;
}

/** A dictionary that can be run, in whatever format it came. */
export interface Dictionary extends DictionaryPlace {
  readonly kind: DictionaryWeights['kind'];
  /** What it is made of. */
  readonly weights: DictionaryWeights;
  /** Width of its input and of its output, floats. */
  readonly dIn: number;
  readonly dOut: number;
  /** Number of features. */
  readonly features: number;
  readonly activation: DictionaryWeights['activation']['kind'];
  /** Whether p and its threshold alone say a feature's activation: not of TopK, nor where each token's input is normalised. */
  readonly readsByRow: boolean;
  /** Whether a unit of activation adds the same to the output of every token: not where a token's normalisation is undone. */
  readonly writesByRow: boolean;
  /** sha256 of its files. */
  readonly hash: string;
  /** Memory that its arrays hold now. */
  readonly residentBytes: number;
  /** Reads no more than this feature's rows. Throws RangeError out of range, `source_invalid` for rows that are not finite. */
  feature(index: number): DictionaryFeature;
  /** Activations [tokens, features] of inputs [tokens, dIn], row major. */
  encode(stream: Float32Array): Float32Array;
  /** Outputs [tokens, dOut] of activations [tokens, features]; the inputs decide what a normalisation is undone with, and what skips. */
  decode(activations: Float32Array, stream: Float32Array): Float32Array;
}

/** Memory behind arrays: a view holds the whole buffer that it looks at, and buffers shared by views count once. */
export function residentBytes(arrays: readonly (Float32Array | Float64Array)[]): number {
  const buffers = new Set(arrays.map(({ buffer }) => buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Makes a dictionary of its weights; dictionary-weights.ts has the arithmetic. */
export function createDictionary(weights: DictionaryWeights): Dictionary {
  const { encoder, decoder, inputScale, activation, normalisation } = weights;
  const [features, dIn, dOut] = [encoder.features, encoder.width, decoder.width];
  const shift = weights.inputBias ?? new Float32Array(dIn);
  const perToken = normalisation.kind !== 'none';
  /** The decoder vectors' norms: of one feature, or all of them, read once. */
  const folded = weights.foldDecoderNorms ? norms(decoder) : null;
  const vectors = activation.kind === 'jumprelu' ? [activation.thresholds] : [];
  const skip = weights.skip ? [weights.skip] : [];
  const otherBytes = residentBytes([weights.encoderBias, weights.decoderBias, shift, ...vectors, ...skip]);
  return {
    modelName: weights.modelName,
    hookPoint: weights.hookPoint,
    hookPointOut: weights.hookPointOut,
    kind: weights.kind,
    weights,
    dIn,
    dOut,
    features,
    activation: activation.kind,
    readsByRow: !perToken && (activation.kind === 'relu' || activation.kind === 'jumprelu'),
    writesByRow: !(perToken && weights.undoNormalisation),
    hash: weights.hash,
    get residentBytes() {
      return encoder.residentBytes + decoder.residentBytes + otherBytes;
    },
    feature(index) {
      if (!(Number.isInteger(index) && index >= 0 && index < features)) {
        throw new RangeError(`feature ${index} of ${features}`);
      }
      const norm = folded?.of(index) ?? 1;
      const row = encoder.read(index, 1);
      const column = weights.centred ? centredVector(row) : row;
      let bias = weights.encoderBias[index];
      for (let i = 0; i < dIn; i++) bias -= shift[i] * row[i];
      return {
        encoder: column.map((value) => value * inputScale * norm),
        bias: bias * norm,
        threshold: thresholdOf(activation, index) * norm,
        decoder: decoder.read(index, 1).map((value) => value / inputScale / norm),
      };
    },
    encode(stream) {
      const sums = sumsOf(weights, stream, shift);
      const factors = folded?.all();
      const scaled = factors && activation.kind === 'jumprelu';
      const used = scaled
        ? { ...activation, thresholds: activation.thresholds.map((threshold, j) => threshold * factors[j]) }
        : activation;
      const activations = new Float32Array(sums.length);
      for (let at = 0; at < sums.length; at += features) {
        const row = sums.subarray(at, at + features);
        if (factors) for (let j = 0; j < features; j++) row[j] *= factors[j];
        activations.set(activate(used, row), at);
      }
      return activations;
    },
    decode(activations, stream) {
      const tokens = stream.length / dIn;
      if (activations.length !== tokens * features) throw new TillerError('internal', 'activations of other tokens');
      const sums = new Float64Array(tokens * dOut);
      for (let j = 0; j < features; j++) {
        let vector: Float32Array | null = null;
        for (let t = 0; t < tokens; t++) {
          const value = activations[t * features + j];
          if (value === 0) continue;
          vector ??= decoder.read(j, 1);
          const scaled = value / (folded?.of(j) ?? 1);
          for (let i = 0; i < dOut; i++) sums[t * dOut + i] += scaled * vector[i];
        }
      }
      return finish(weights, sums, stream);
    },
  };
}

/** (x − mean(x))·e is x·(e − mean(e)). */
function centredVector(vector: Float32Array): Float32Array {
  const mean = vector.reduce((sum, value) => sum + value, 0) / vector.length;
  return vector.map((value) => value - mean);
}

/** p of every token and feature, [tokens, features]. Sums in float64, in the order of the input. */
function sumsOf(weights: DictionaryWeights, stream: Float32Array, shift: Float32Array): Float64Array {
  const { encoder, encoderBias, inputScale } = weights;
  const { features, width: dIn, piece } = encoder;
  if (stream.length % dIn !== 0) throw new TillerError('internal', `a stream not ${dIn} wide`);
  const tokens = stream.length / dIn;
  const inputs = new Float64Array(stream.length);
  for (let t = 0; t < tokens; t++) {
    const input = stream.subarray(t * dIn, (t + 1) * dIn);
    const scale = tokenScale(weights, input);
    for (let i = 0; i < dIn; i++) {
      inputs[t * dIn + i] = (inputScale * (input[i] - scale.shift)) / scale.divisor - shift[i];
    }
  }
  const sums = new Float64Array(tokens * features);
  for (let first = 0; first < features; first += piece) {
    const count = Math.min(piece, features - first);
    const rows = encoder.read(first, count);
    for (let j = 0; j < count; j++) {
      for (let t = 0; t < tokens; t++) {
        let sum = encoderBias[first + j];
        for (let i = 0; i < dIn; i++) sum += inputs[t * dIn + i] * rows[j * dIn + i];
        sums[t * features + first + j] = sum;
      }
    }
  }
  return sums;
}

/** Bias, the undoing of scale and normalisation, and what skips the features. */
function finish(weights: DictionaryWeights, sums: Float64Array, stream: Float32Array): Float32Array {
  const { decoderBias, inputScale, undoNormalisation, skip, encoder, decoder } = weights;
  const [dIn, dOut] = [encoder.width, decoder.width];
  const output = new Float32Array(sums.length);
  for (let t = 0; t * dOut < sums.length; t++) {
    const input = stream.subarray(t * dIn, (t + 1) * dIn);
    const scale = tokenScale(undoNormalisation ? weights : plainDictionary, input);
    for (let i = 0; i < dOut; i++) {
      let value = ((sums[t * dOut + i] + decoderBias[i]) / inputScale) * scale.multiplier + scale.shift;
      for (let j = 0; skip !== null && j < dIn; j++) value += skip[i * dIn + j] * input[j];
      output[t * dOut + i] = value;
    }
  }
  return output;
}
