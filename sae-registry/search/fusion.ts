import type { Ranked } from './ranking.ts';
import type { Near } from './vector-search.ts';

/**
 * Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009): what stands at rank r of a list gets 1 / (k + r) of it. Scores of two
 * searches cannot be compared, their ranks can.
 */
const rankOffset = 10;

export interface Fused {
  /** Slot of the feature's best label. */
  readonly slot: number;
  readonly score: number;
  readonly lexicalRank: number | null;
  readonly semanticRank: number | null;
  readonly similarity: number | null;
}

/**
 * One list of features from labels found by words and labels found by meaning. A feature stands where its best label stands.
 * @param featureOf what is the same for all labels of one feature
 */
export function fuse(
  lexical: readonly Ranked[] | null,
  semantic: readonly Near[] | null,
  featureOf: (slot: number) => number,
): Fused[] {
  const fused = new Map<number, Fused>();
  const words = lexical === null ? [] : firstOfEach(lexical, featureOf);
  const meanings = semantic === null ? [] : firstOfEach(semantic, featureOf);
  for (const [at, { slot, score }] of words.entries()) {
    const rank = at + 1;
    fused.set(featureOf(slot), {
      slot,
      score: semantic === null ? score : share(rank),
      lexicalRank: rank,
      semanticRank: null,
      similarity: null,
    });
  }
  for (const [at, { slot, similarity }] of meanings.entries()) {
    const rank = at + 1;
    const known = fused.get(featureOf(slot));
    fused.set(featureOf(slot), {
      slot: known?.slot ?? slot,
      score: lexical === null ? similarity : (known?.score ?? 0) + share(rank),
      lexicalRank: known?.lexicalRank ?? null,
      semanticRank: rank,
      similarity,
    });
  }
  return [...fused.values()].sort((a, b) => b.score - a.score || best(a) - best(b) || a.slot - b.slot);
}

function firstOfEach<T extends Ranked>(list: readonly T[], featureOf: (slot: number) => number): T[] {
  const seen = new Set<number>();
  return list.filter(({ slot }) => {
    const feature = featureOf(slot);
    if (seen.has(feature)) return false;
    seen.add(feature);
    return true;
  });
}

function share(rank: number): number {
  return 1 / (rankOffset + rank);
}

function best({ lexicalRank, semanticRank }: Fused): number {
  return Math.min(lexicalRank ?? Number.POSITIVE_INFINITY, semanticRank ?? Number.POSITIVE_INFINITY);
}
