import { TillerError } from '../../engine/core/index.ts';
import { seededRandom } from '../labelling/seeded-random.ts';

/** One item of a data set as folds see it. */
export interface FoldItem {
  readonly positive: boolean;
  /** Items of one topic are held out together; null: of none. */
  readonly topic: string | null;
  /** Items of one pair are held out together; null: unpaired. */
  readonly pair: number | null;
}

/**
 * Which fold each item is held out in, [items]: topics stay whole where there are any, else pairs, else single items; what stays whole
 * is dealt out the largest first, each to the fold with the fewest items of its class. The same for the same items. Throws
 * `invalid_request` where some items have a topic and some have none, where there are fewer than two topics, and where a fold, or what
 * is left beside it, would have one class only.
 */
export function assignFolds(items: readonly FoldItem[], wanted: number): Uint8Array {
  const groups = shuffledGroups(items);
  const folds = Math.min(wanted, groups.length);
  const sizes = Array.from({ length: folds }, () => ({ positive: 0, negative: 0 }));
  const assigned = new Uint8Array(items.length);
  for (const group of groups) {
    const positive = group.filter((at) => items[at].positive).length;
    const negative = group.length - positive;
    // what would be the fullest class of a fold decides, then the whole fold
    const load = ({ positive: p, negative: n }: (typeof sizes)[number]) =>
      Math.max(positive && p + positive, negative && n + negative) * (2 * items.length + 1) + p + n;
    let best = 0;
    for (let fold = 1; fold < folds; fold++) if (load(sizes[fold]) < load(sizes[best])) best = fold;
    sizes[best].positive += positive;
    sizes[best].negative += negative;
    for (const at of group) assigned[at] = best;
  }
  checkFolds(sizes, items[0]?.topic != null);
  return assigned;
}

/** Items that stay together, the largest groups first, those of one size in an order of chance that is always the same. */
function shuffledGroups(items: readonly FoldItem[]): number[][] {
  const untold = items.findIndex(({ topic }) => topic === null);
  const told = items.findIndex(({ topic }) => topic !== null);
  if (untold >= 0 && told >= 0) {
    const message =
      'Some items have a topic and some have none: folds can hold topics out only where every item has one.';
    throw new TillerError('invalid_request', message, { param: 'topic' });
  }
  const groups = new Map<string, number[]>();
  for (const [at, { topic, pair }] of items.entries()) {
    const key = topic !== null ? `topic ${topic}` : pair !== null ? `pair ${pair}` : `item ${at}`;
    const group = groups.get(key);
    if (group) group.push(at);
    else groups.set(key, [at]);
  }
  if (told >= 0 && groups.size < 2) {
    const message = `All items have the topic '${items[told].topic}': to hold a topic out there must be two. Leave 'topic' out otherwise.`;
    throw new TillerError('invalid_request', message, { param: 'topic' });
  }
  return seededRandom(1)
    .shuffled([...groups.values()])
    .toSorted((a, b) => b.length - a.length);
}

function checkFolds(sizes: readonly { readonly positive: number; readonly negative: number }[], topics: boolean): void {
  const total = (of: 'positive' | 'negative') => sizes.reduce((sum, size) => sum + size[of], 0);
  for (const of of ['positive', 'negative'] as const) {
    const bad = sizes.some((size) => size[of] === 0 || size[of] === total(of));
    if (!bad) continue;
    const why = topics
      ? `a topic that is held out has no ${of} item, or all of them: give every topic items of both classes, or ask for fewer 'folds'`
      : `${sizes.length} folds of ${total(of)} ${of} items leave one without: give more items or ask for fewer 'folds'`;
    throw new TillerError('invalid_request', `Nothing can be held out: ${why}.`, { param: topics ? 'topic' : 'folds' });
  }
}
