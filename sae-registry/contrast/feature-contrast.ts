import type { Pace } from '../relations/pace.ts';
import { auroc } from './auroc.ts';
import type { SparseRow } from './rows.ts';

/** What a feature does in two classes of items. */
export interface FeatureContrast {
  readonly index: number;
  /** Mean over the items of a class, those on which it is silent too. */
  readonly positiveMean: number;
  readonly negativeMean: number;
  /** positiveMean − negativeMean. */
  readonly difference: number;
  /** Of the items, on how many it is active. */
  readonly positiveCount: number;
  readonly negativeCount: number;
  /** On held-out folds, the sign taken from the other folds; the mean of the folds, by their items. */
  readonly auroc: number;
}

export const featureRankings = ['auroc', 'difference'] as const;
export type FeatureRanking = (typeof featureRankings)[number];

interface Entry {
  readonly item: number;
  readonly value: number;
}

/**
 * Every feature that is active on an item, with its means and held-out AUROC, best first; by `auroc` (then the difference), or by the
 * size of the difference. `items`: each item's activations, [items].
 */
export async function contrastFeatures(
  items: readonly SparseRow[],
  { folds, positive }: { readonly folds: Uint8Array; readonly positive: readonly boolean[] },
  { by, limit, pace }: { readonly by: FeatureRanking; readonly limit: number; readonly pace: Pace | null },
): Promise<FeatureContrast[]> {
  const entries = new Map<number, Entry[]>();
  for (const [item, { columns, values }] of items.entries()) {
    for (let i = 0; i < columns.length; i++) {
      const entry = { item, value: values[i] };
      const known = entries.get(columns[i]);
      if (known) known.push(entry);
      else entries.set(columns[i], [entry]);
    }
  }
  const found: FeatureContrast[] = [];
  const foldItems = [...new Set(folds)].map((fold) => ({
    fold,
    positive: positive.filter((is, at) => is && folds[at] === fold).length,
    negative: positive.filter((is, at) => !is && folds[at] === fold).length,
  }));
  const totals = { positive: positive.filter(Boolean).length, negative: positive.filter((is) => !is).length };
  for (const [index, active] of entries) {
    if (pace?.isDue()) await pace.turn();
    const sums = sumsOf(active, positive);
    const means = { positive: sums.positive / totals.positive, negative: sums.negative / totals.negative };
    let area = 0;
    for (const { fold, ...size } of foldItems) {
      const own = active.filter(({ item }) => folds[item] === fold);
      const ownSums = sumsOf(own, positive);
      const rest = {
        positive: (sums.positive - ownSums.positive) / Math.max(1, totals.positive - size.positive),
        negative: (sums.negative - ownSums.negative) / Math.max(1, totals.negative - size.negative),
      };
      const up = areaOf(own, positive, size);
      const signed = rest.positive > rest.negative ? up : rest.positive < rest.negative ? 1 - up : 0.5;
      area += (signed * (size.positive + size.negative)) / folds.length;
    }
    found.push({
      index,
      positiveMean: means.positive,
      negativeMean: means.negative,
      difference: means.positive - means.negative,
      positiveCount: active.filter(({ item }) => positive[item]).length,
      negativeCount: active.filter(({ item }) => !positive[item]).length,
      auroc: area,
    });
  }
  const size = ({ difference }: FeatureContrast) => Math.abs(difference);
  return found
    .toSorted((a, b) => (by === 'auroc' ? b.auroc - a.auroc : 0) || size(b) - size(a) || a.index - b.index)
    .slice(0, limit);
}

function sumsOf(entries: readonly Entry[], positive: readonly boolean[]) {
  const sums = { positive: 0, negative: 0 };
  for (const { item, value } of entries) sums[positive[item] ? 'positive' : 'negative'] += value;
  return sums;
}

/** AUROC of a fold: items on which it is silent read 0. */
function areaOf(
  active: readonly Entry[],
  positive: readonly boolean[],
  size: { readonly positive: number; readonly negative: number },
): number {
  const scores = (which: boolean, count: number) => {
    const all = new Float64Array(count);
    let at = 0;
    for (const { item, value } of active) if (positive[item] === which) all[at++] = value;
    return all;
  };
  return auroc(scores(true, size.positive), scores(false, size.negative)).auroc;
}
