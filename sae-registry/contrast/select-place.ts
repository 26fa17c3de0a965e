import { type Auroc, auroc } from './auroc.ts';
import { aurocOf, type HeldOut } from './held-out.ts';

/**
 * The AUROC of choosing the best of several places too: each fold is scored at the place that is best on all other folds, so that
 * no item has a say in where it is scored. The best of many on the same items is better than it will be on others; this is not.
 */
export function aurocOfChoosing(
  places: readonly Pick<HeldOut, 'scores'>[],
  { folds, positive }: { readonly folds: Uint8Array; readonly positive: readonly boolean[] },
): Auroc {
  const scores = new Float64Array(folds.length);
  for (const fold of new Set(folds)) {
    const without = places.map((place) => areaOf(place.scores, positive, (at) => folds[at] !== fold));
    const { scores: chosen } = places[without.indexOf(Math.max(...without))];
    for (let at = 0; at < folds.length; at++) if (folds[at] === fold) scores[at] = chosen[at];
  }
  return aurocOf(scores, positive);
}

function areaOf(scores: Float64Array, positive: readonly boolean[], counts: (item: number) => boolean): number {
  const of = (which: boolean) => Array.from(scores).filter((_, at) => positive[at] === which && counts(at));
  return auroc(of(true), of(false)).auroc;
}
