import type { Pace } from '../relations/pace.ts';
import { deviation, mean } from './arithmetic.ts';
import { type Auroc, auroc } from './auroc.ts';
import { type Classes, type ContrastMethod, contrastDirection, isPaired } from './directions.ts';

/** Samples of items: one each, or, with a direction fitted to every token, many. */
export interface ItemSamples extends Classes {
  /** The item that each row is of, [rows]. */
  readonly item: ArrayLike<number>;
}

/** What directions that never saw an item say of it. */
export interface HeldOut extends Auroc {
  /** Each item's score, [items]: along the direction of the other folds, in their deviations from the middle of their means. */
  readonly scores: Float64Array;
}

/**
 * Fits a direction to all folds but one and scores the items of that one, for each fold. Scores of different folds share a scale: 0
 * is the middle between the training classes' means, 1 a standard deviation within them; an item of many samples scores their mean.
 * Throws as `contrastDirection`.
 */
export async function heldOut(
  samples: ItemSamples,
  method: ContrastMethod,
  { folds, positive }: { readonly folds: Uint8Array; readonly positive: readonly boolean[] },
  pace: Pace | null,
): Promise<HeldOut> {
  const scores = new Float64Array(folds.length);
  for (const fold of new Set(folds)) {
    const score = await fitWithout(samples, method, folds, [fold], pace);
    await score(fold, scores);
  }
  return { scores, ...aurocOf(scores, positive) };
}

/**
 * What `heldOut` would say of the other folds if a fold were not there at all, for each fold: fold → scores [items], NaN for the
 * fold's own. By these one may choose for that fold. Needs three folds.
 */
export async function heldOutWithin(
  samples: ItemSamples,
  method: ContrastMethod,
  folds: Uint8Array,
  pace: Pace | null,
): Promise<ReadonlyMap<number, Float64Array>> {
  const all = [...new Set(folds)];
  const within = new Map(all.map((fold) => [fold, new Float64Array(folds.length).fill(Number.NaN)]));
  for (const [at, fold] of all.entries()) {
    for (const other of all.slice(0, at)) {
      // fitted to neither, it is held out from both
      const score = await fitWithout(samples, method, folds, [fold, other], pace);
      await score(other, within.get(fold) ?? new Float64Array());
      await score(fold, within.get(other) ?? new Float64Array());
    }
  }
  return within;
}

/** Fits a direction to the samples of all other folds; what it gives writes the scores of a fold's items. */
async function fitWithout(
  samples: ItemSamples,
  method: ContrastMethod,
  folds: Uint8Array,
  without: readonly number[],
  pace: Pace | null,
): Promise<(fold: number, scores: Float64Array) => Promise<void>> {
  const { rows, item, pairs } = samples;
  const all = Array.from({ length: rows.rows }, (_, row) => row);
  const others = all.filter((row) => !without.includes(folds[item[row]]));
  const place = new Map(others.map((row, at) => [row, at]));
  const known = {
    rows: rows.only(others),
    positive: others.map((row) => samples.positive[row]),
    pairs: isPaired(method)
      ? pairs.flatMap((pair) => {
          const [a, b] = [place.get(pair.positive), place.get(pair.negative)];
          return a === undefined || b === undefined ? [] : [{ positive: a, negative: b }];
        })
      : [],
  };
  const { direction, means, deviation: within } = await contrastDirection(known, method, pace);
  const middle = (means.positive + means.negative) / 2;
  return async (fold, scores) => {
    const own = all.filter((row) => folds[item[row]] === fold);
    const products = await rows.only(own).times(direction, pace);
    const sums = new Map<number, { sum: number; count: number }>();
    for (const [at, row] of own.entries()) {
      const so = sums.get(item[row]) ?? { sum: 0, count: 0 };
      sums.set(item[row], { sum: so.sum + (products[at] - middle) / (within || 1), count: so.count + 1 });
    }
    for (const [of, { sum, count }] of sums) scores[of] = sum / count;
  };
}

/** AUROC of items' scores by their class. */
export function aurocOf(scores: ArrayLike<number>, positive: readonly boolean[]): Auroc {
  const of = (which: boolean) => Array.from(scores).filter((_, at) => positive[at] === which);
  return auroc(of(true), of(false));
}

/** How far the classes' mean scores are apart, in standard deviations within the classes (Cohen's d). */
export function effectSize(scores: ArrayLike<number>, positive: readonly boolean[]): number {
  const of = (which: boolean) => Array.from(scores).filter((_, at) => positive[at] === which);
  const [a, b] = [of(true), of(false)];
  const pooled = ((a.length - 1) * deviation(a) ** 2 + (b.length - 1) * deviation(b) ** 2) / (a.length + b.length - 2);
  return (mean(a) - mean(b)) / Math.max(Math.sqrt(pooled), Number.EPSILON);
}
