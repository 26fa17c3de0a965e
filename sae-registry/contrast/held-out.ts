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
  const { rows, item, pairs } = samples;
  const sums = new Float64Array(folds.length);
  const counts = new Float64Array(folds.length);
  const all = Array.from({ length: rows.rows }, (_, row) => row);
  for (const fold of new Set(folds)) {
    const others = all.filter((row) => folds[item[row]] !== fold);
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
    const { direction, means, deviation } = await contrastDirection(known, method, pace);
    const middle = (means.positive + means.negative) / 2;
    const own = all.filter((row) => folds[item[row]] === fold);
    const products = await rows.only(own).times(direction, pace);
    for (const [at, row] of own.entries()) {
      sums[item[row]] += (products[at] - middle) / (deviation || 1);
      counts[item[row]]++;
    }
  }
  const scores = sums.map((sum, at) => sum / counts[at]);
  return { scores, ...aurocOf(scores, positive) };
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
