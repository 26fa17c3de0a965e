import type { FeatureVectors } from '../feature-vectors.ts';
import type { Pace } from './pace.ts';

/** Numbers of rows that are read at a time: 4 MiB, a few milliseconds where they have to come from a file. */
const pieceNumbers = 2 ** 20;
/** Multiplications between two looks at the clock. */
const burst = 2 ** 18;

/**
 * The dot products of every vector with every direction, in the order of the vectors: `take(feature, products, norm)`, where `products`
 * is reused and `norm` is the vector's length. Sums in float64, in the order of the numbers.
 */
export async function dotProducts(
  vectors: FeatureVectors,
  directions: readonly Float32Array[],
  pace: Pace | null,
  take: (feature: number, products: Float64Array, norm: number) => void,
): Promise<void> {
  const { features, width } = vectors;
  const products = new Float64Array(directions.length);
  const piece = Math.max(1, Math.min(vectors.piece, Math.floor(pieceNumbers / width)));
  const rowsInBurst = Math.max(1, Math.floor(burst / (width * (directions.length + 1))));
  for (let first = 0; first < features; first += piece) {
    const count = Math.min(piece, features - first);
    const rows = vectors.read(first, count);
    for (let j = 0; j < count; j++) {
      if (j % rowsInBurst === 0 && pace?.isDue()) await pace.turn();
      const from = j * width;
      let square = 0;
      for (let i = 0; i < width; i++) square += rows[from + i] * rows[from + i];
      for (let d = 0; d < directions.length; d++) {
        const direction = directions[d];
        let sum = 0;
        for (let i = 0; i < width; i++) sum += rows[from + i] * direction[i];
        products[d] = sum;
      }
      take(first + j, products, Math.sqrt(square));
    }
  }
}

export function lengthOf(vector: Float32Array): number {
  let square = 0;
  for (let i = 0; i < vector.length; i++) square += vector[i] * vector[i];
  return Math.sqrt(square);
}
