import type { FeatureVectors } from '../feature-vectors.ts';
import { BestList, type Ranked } from './best-list.ts';
import { dotProducts, lengthOf } from './dot-products.ts';
import type { Pace } from './pace.ts';

export interface NeighbourOptions {
  readonly limit: number;
  /** A feature that is not its own neighbour; null: all are. */
  readonly except: number | null;
  readonly pace: Pace | null;
}

/**
 * The features whose vectors have the largest cosine with a direction, largest first. Every one is looked at: the answer is exact.
 * A vector of length 0 has no direction and is no neighbour. Float64 sums over float32 numbers.
 */
export async function nearestVectors(
  direction: Float32Array,
  vectors: FeatureVectors,
  { limit, except, pace }: NeighbourOptions,
): Promise<readonly Ranked[]> {
  const best = new BestList(limit);
  const length = lengthOf(direction);
  await dotProducts(vectors, [direction], pace, (feature, [product = 0], norm) => {
    if (feature !== except) best.offer(feature, product / (norm * length));
  });
  return best.items;
}
