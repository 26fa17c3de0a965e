import type { Dictionary } from '../dictionary.ts';
import { BestList, type Ranked } from './best-list.ts';
import { dotProducts } from './dot-products.ts';
import { encoderDirections } from './feature-directions.ts';
import type { Pace } from './pace.ts';

export interface VirtualWeights {
  /** Features that a unit of the writing feature raises most, as weights; largest first. */
  readonly raised: readonly Ranked[];
  /** Those that it lowers most; smallest first. */
  readonly lowered: readonly Ranked[];
}

/**
 * Virtual weights of one direction that is written to the stream onto all features of a dictionary that reads it later: what a unit of
 * it adds to each feature's p (before its threshold) along the stream alone, direction · encoder. What blocks in between do with it,
 * and norms, are left out (Elhage et al. 2021). Float64 sums.
 */
export async function virtualWeights(
  direction: Float32Array,
  reader: Dictionary,
  { limit, pace }: { readonly limit: number; readonly pace: Pace | null },
): Promise<VirtualWeights> {
  const [raised, lowered] = [new BestList(limit), new BestList(limit)];
  await dotProducts(encoderDirections(reader), [direction], pace, (feature, [weight = 0]) => {
    raised.offer(feature, weight);
    lowered.offer(feature, -weight);
  });
  return { raised: raised.items, lowered: lowered.items.map(({ index, value }) => ({ index, value: -value })) };
}
