import type { FeatureVectors } from './feature-vectors.ts';

/** Least norm that is divided by (SAELens `get_W_dec_norm`). */
const leastNorm = 1e-8;

/** Norms of a decoder's vectors: of one, which reads no other, or of all, which reads them once. */
export interface VectorNorms {
  of(index: number): number;
  all(): Float32Array;
}

/** Norms of `vectors`, computed when they are asked for. */
export function norms(vectors: FeatureVectors): VectorNorms {
  let known: Float32Array | undefined;
  const all = () => {
    const values = new Float32Array(vectors.features);
    for (let first = 0; first < vectors.features; first += vectors.piece) {
      const count = Math.min(vectors.piece, vectors.features - first);
      const rows = vectors.read(first, count);
      for (let j = 0; j < count; j++)
        values[first + j] = normOf(rows.subarray(j * vectors.width, (j + 1) * vectors.width));
    }
    return values;
  };
  return {
    of: (index) => known?.[index] ?? Math.fround(normOf(vectors.read(index, 1))),
    all: () => {
      known ??= all();
      return known;
    },
  };
}

function normOf(vector: Float32Array): number {
  return Math.max(leastNorm, Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)));
}
