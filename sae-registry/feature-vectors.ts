import { setImmediate } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { readRows, type StoredArray } from './arrays/stored-array.ts';
import type { ResidentMatrices, ResidentMatrix } from './resident-matrices.ts';
import { sourceInvalid } from './source-error.ts';

/** A matrix up to this size is held in memory as float32; rows of a larger one are read from the file when they are asked for. */
const maxResidentMatrixBytesByDefault = 256 * 2 ** 20;
/** What is read of a stored matrix at a time. */
const pieceBytes = 32 * 2 ** 20;
/** Single vectors of a stored matrix that are kept: those that steering asks for again and again. */
const keptVectors = 256;

/** One vector for each feature: an encoder's or a decoder's matrix, whichever way it lies and wherever. */
export interface FeatureVectors {
  readonly features: number;
  /** Floats of each vector. */
  readonly width: number;
  /** Memory that it holds now. */
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

/** Which matrices are held in memory. */
export interface Residency {
  /** A matrix up to this size is; rows of a larger one are read when they are asked for. */
  readonly maxResidentMatrixBytes?: number;
  /** What all of them together may take; without it there is no such limit. */
  readonly resident?: ResidentMatrices;
}

/**
 * The rows of a stored matrix [features, width] (`transposed` turns one that lies the other way): in memory where `residency` allows
 * it, else read when asked for. Reading lets the event loop turn.
 */
export async function openVectors(matrix: StoredArray, residency: Residency = {}): Promise<FeatureVectors> {
  const { maxResidentMatrixBytes = maxResidentMatrixBytesByDefault, resident } = residency;
  const stored = storedVectors(matrix);
  const { features, width } = stored;
  const bytes = features * width * 4;
  if (bytes > maxResidentMatrixBytes || (resident && bytes > resident.budgetBytes)) return stored;
  const values = await readWhole(stored, stored.piece);
  return resident ? heldVectors(stored, values, resident) : residentVectors(values, features, width);
}

async function readWhole(stored: FeatureVectors, piece: number): Promise<Float32Array> {
  const { features, width } = stored;
  await setImmediate();
  // As it was read: a copy of it would take half as long again.
  if (piece >= features) return stored.read(0, features);
  const values = new Float32Array(features * width);
  for (let first = 0; first < features; first += piece) {
    values.set(stored.read(first, Math.min(piece, features - first)), first * width);
    await setImmediate();
  }
  return values;
}

/** Rows between which the event loop turns while a matrix comes back: 4 MiB. */
const returningNumbers = 2 ** 20;

/**
 * A matrix in memory until others need its room; from then on its rows are read from the file. It comes back, in the background, once
 * as many rows have been read from there as it has.
 */
function heldVectors(stored: FeatureVectors, first: Float32Array, resident: ResidentMatrices): FeatureVectors {
  const { features, width, piece } = stored;
  let values: Float32Array | null = null;
  let readSince = 0;
  let returning = false;
  const matrix: ResidentMatrix = {
    bytes: first.byteLength,
    evict() {
      values = null;
      readSince = 0;
    },
  };
  const hold = (whole: Float32Array) => {
    values = whole;
    resident.admit(matrix);
  };
  const comeBack = async () => {
    returning = true;
    try {
      hold(await readWhole(stored, Math.max(1, Math.min(piece, Math.floor(returningNumbers / width)))));
    } catch {
      // What is wrong with the file is told to whoever reads the next row of it.
      readSince = 0;
    }
    returning = false;
  };
  hold(first);
  return {
    features,
    width,
    piece,
    get residentBytes() {
      return values === null ? stored.residentBytes : values.byteLength;
    },
    read(from, count) {
      if (values !== null) {
        resident.touch(matrix);
        return values.subarray(from * width, (from + count) * width);
      }
      readSince += count;
      if (readSince >= features && !returning) void comeBack();
      return stored.read(from, count);
    },
  };
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
  const { features, width, piece } = vectors;
  return {
    features,
    width,
    piece,
    get residentBytes() {
      return vectors.residentBytes + factors.byteLength;
    },
    read: (first, count) =>
      vectors.read(first, count).map((value, at) => value * factors[first + Math.floor(at / width)]),
  };
}
