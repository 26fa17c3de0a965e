import type { Ranked } from './ranking.ts';
import type { Near } from './vector-search.ts';
import type { WordMatches } from './word-search.ts';

/**
 * How much words count beside meaning: a label's score is `weight · words + (1 − weight) · cosine`, where `words` is its BM25 score
 * as a share of what a label gets that has every word of the query. So a label that shares one common word of a long question gains
 * little, and one that has all of it much. (A convex combination, as Bruch, Gai & Ingber 2023 find better than fusing ranks. The weight was
 * chosen on bench/search/queries.jsonl, all of it; its two halves agree.)
 */
export const wordWeight = 0.2;

export interface Fused {
  /** Slot of the feature's best label. */
  readonly slot: number;
  readonly score: number;
  readonly lexicalRank: number | null;
  readonly semanticRank: number | null;
  readonly similarity: number | null;
}

type Unranked = Omit<Fused, 'lexicalRank' | 'semanticRank'>;

/**
 * One list of features from labels found by words, labels found by meaning, or both. A feature stands where its best label stands.
 * @param near labels found by meaning and, of both, those found by words too; nearest first
 * @param featureOf what is the same for all labels of one feature
 */
export function fuse(
  words: WordMatches | null,
  near: readonly Near[] | null,
  featureOf: (slot: number) => number,
  weight = wordWeight,
): Fused[] {
  const lexical = words === null ? null : rankFeatures(words.labels, featureOf);
  const semantic = near === null ? null : rankFeatures(near, featureOf);
  return firstOfEach(scored(words, near, weight), featureOf).map(({ slot, score, similarity }) => {
    const feature = featureOf(slot);
    const [lexicalRank, semanticRank] = [lexical?.get(feature) ?? null, semantic?.get(feature) ?? null];
    return { slot, score, similarity, lexicalRank, semanticRank };
  });
}

/** Labels with their scores, best first. */
function scored(words: WordMatches | null, near: readonly Near[] | null, weight: number): readonly Unranked[] {
  if (near === null) return (words?.labels ?? []).map(({ slot, score }) => ({ slot, score, similarity: null }));
  if (words === null) return near;
  const shares = new Map(words.labels.map(({ slot, score }) => [slot, Math.min(1, score / words.ideal)]));
  const found = near.map(({ slot, similarity }) => {
    const share = shares.get(slot) ?? 0;
    shares.delete(slot);
    return { slot, similarity, score: weight * share + (1 - weight) * similarity };
  });
  // What is left has no embedding yet: it is found by its words alone.
  for (const [slot, share] of shares) found.push({ slot, similarity: 0, score: weight * share });
  return found.sort((a, b) => b.score - a.score);
}

/** Places of features from 1, each at its best label. */
function rankFeatures(labels: readonly Ranked[], featureOf: (slot: number) => number): ReadonlyMap<number, number> {
  const ranks = new Map<number, number>();
  for (const { slot } of labels) {
    const feature = featureOf(slot);
    if (!ranks.has(feature)) ranks.set(feature, ranks.size + 1);
  }
  return ranks;
}

function firstOfEach<T extends { readonly slot: number }>(
  list: readonly T[],
  featureOf: (slot: number) => number,
): T[] {
  const seen = new Set<number>();
  return list.filter(({ slot }) => {
    const feature = featureOf(slot);
    if (seen.has(feature)) return false;
    seen.add(feature);
    return true;
  });
}
