import { type Auroc, auroc } from './auroc.ts';
import { aurocOf, type HeldOut } from './held-out.ts';

/** One of several places that a direction could be at. */
export interface PlaceScores extends Pick<HeldOut, 'scores'> {
  /** Of `heldOutWithin`. */
  readonly within: ReadonlyMap<number, Float64Array>;
}

/**
 * The AUROC of choosing the best of several places too: each fold is scored at the place that is best on the other folds, by directions
 * that have not seen it, so that no item has a say in where it is scored. The best of many on the same items is better than it will
 * be on others; this is not.
 */
export function aurocOfChoosing(
  places: readonly PlaceScores[],
  { folds, positive }: { readonly folds: Uint8Array; readonly positive: readonly boolean[] },
): Auroc {
  const scores = new Float64Array(folds.length);
  for (const fold of new Set(folds)) {
    const areas = places.map(({ within }) => {
      const inner = within.get(fold) ?? new Float64Array(folds.length);
      const of = (which: boolean) => inner.filter((_, at) => positive[at] === which && folds[at] !== fold);
      return auroc(of(true), of(false)).auroc;
    });
    const { scores: chosen } = places[areas.indexOf(Math.max(...areas))];
    for (let at = 0; at < folds.length; at++) if (folds[at] === fold) scores[at] = chosen[at];
  }
  return aurocOf(scores, positive);
}
