import { setImmediate } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { readRows, type StoredArray } from './arrays/stored-array.ts';
import { sourceInvalid } from './source-error.ts';

/** A matrix up to this size is held in memory as float32; rows of a larger one are read from the file when they are asked for. */
export const maxResidentMatrixBytes = 256 * 2 ** 20;
/** What is read of a stored matrix at a time. */
const pieceBytes = 32 * 2 ** 20;
/** Single vectors of a stored matrix that are kept: those that steering asks for again and again. */
const keptVectors = 256;

/** One vector for each feature: an encoder's or a decoder's matrix, whichever way it lies and wherever. */
export interface FeatureVectors {
  readonly features: number;
  /** Floats of each vector. */
  readonly width: number;
  /** Memory that it holds. */
  readonly residentBytes: number;
  /** How many features are best asked for at a time. */
  readonly piece: number;
  /** Vectors `first` to `first + count` as [count, width], not to be written to. Throws `source_invalid` for values that are not finite. */
  read(first: number, count: number): Float32Array;
}

/** Vectors in memory: [features, width], row major. */
export function residentVectors(values: Float32Array, features: number, width: number): FeatureVectors {
  return {
    features,
    width,
    residentBytes: values.byteLength,
    piece: features,
    read: (first, count) => values.subarray(first * width, (first + count) * width),
  };
}

/**
 * The rows of a stored matrix [features, width] (`transposed` turns one that lies the other way): in memory up to `maxBytes`, else
 * read when asked for. Reading lets the event loop turn.
 */
export async function openVectors(matrix: StoredArray, maxBytes = maxResidentMatrixBytes): Promise<FeatureVectors> {
  const stored = storedVectors(matrix);
  const { features, width, piece } = stored;
  if (features * width * 4 > maxBytes) return stored;
  if (piece >= features) {
    // As it was read: a copy of it would take half as long again.
    await setImmediate();
    return residentVectors(stored.read(0, features), features, width);
  }
  const values = new Float32Array(features * width);
  for (let first = 0; first < features; first += piece) {
    values.set(stored.read(first, Math.min(piece, features - first)), first * width);
    await setImmediate();
  }
  return residentVectors(values, features, width);
}

function storedVectors(matrix: StoredArray): FeatureVectors {
  const [features, width] = matrix.shape;
  const kept = new LRUCache<number, Float32Array>({ max: keptVectors });
  return {
    features,
    width,
    residentBytes: matrix.bytes.residentBytes + Math.min(keptVectors, features) * width * 4,
    piece: Math.max(1, Math.floor(pieceBytes / (4 * width))),
    read(first, count) {
      const known = count === 1 ? kept.get(first) : undefined;
      if (known) return known;
      const values = readRows(matrix, first, count);
      const at = firstNotFinite(values);
      if (at < 0) {
        if (count === 1) kept.set(first, values);
        return values;
      }
      const feature = first + Math.floor(at / width);
      throw sourceInvalid(
        `${matrix.bytes.path}: ${matrix.name} has a value that is not finite, in the row of feature ${feature}.`,
      );
    },
  };
}

/** -1 where all are. A loop, not `findIndex`, which takes four times as long. */
function firstNotFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/** Each feature's vector times its factor. */
export function scaledVectors(vectors: FeatureVectors, factors: Float32Array): FeatureVectors {
  const { width } = vectors;
  return {
    ...vectors,
    residentBytes: vectors.residentBytes + factors.byteLength,
    read: (first, count) =>
      vectors.read(first, count).map((value, at) => value * factors[first + Math.floor(at / width)]),
  };
}
