import { firingTokens, markedText, type Passage, silentTokens } from './passage.ts';
import type { SeededRandom } from './seeded-random.ts';
import { splitPassages } from './split-passages.ts';
import type { Trial } from './trial.ts';

/**
 * The feature's own passages, half of them with the tokens marked on which it fires, half with as many others marked as it fires on
 * in a passage on average, all of them silent ones. No passage is there twice: side by side they would betray each other. Empty
 * where fewer than two passages have a value for each token.
 */
export function fuzzingTrials(
  passages: readonly Passage[],
  most: number,
  random: SeededRandom,
): { readonly trials: readonly Trial[]; readonly seen: number } {
  const { shown, heldOut } = splitPassages(passages);
  const known = (part: readonly Passage[]) => random.shuffled(part.filter(({ values }) => values !== null));
  const unseen = known(heldOut).slice(0, most);
  const seen = known(shown).slice(0, most - unseen.length);
  const all = random.shuffled([...unseen, ...seen]);
  const firing = all.map((passage) => (firingTokens(passage) ?? []).filter(Boolean).length);
  const mean = Math.ceil(firing.reduce((sum, count) => sum + count, 0) / Math.max(1, all.length));
  // Passages that fire nearly everywhere cannot be marked wrongly; they serve as the rightly marked ones.
  const wrong = all.filter((passage) => silentTokens(passage).length >= mean).slice(0, Math.floor(all.length / 2));
  if (wrong.length === 0) return { trials: [], seen: 0 };
  const right = all.filter((passage) => !wrong.includes(passage));
  const trials: Trial[] = [
    ...right.map((passage) => ({
      text: markedText(passage.tokens, firingTokens(passage) ?? []),
      truth: true,
      kind: 'own' as const,
    })),
    ...wrong.map((passage) => ({
      text: markedText(passage.tokens, wrongMarks(passage, mean, random)),
      truth: false,
      kind: 'wrong_marks' as const,
    })),
  ];
  return { trials: random.shuffled(trials), seen: seen.length };
}

function wrongMarks(passage: Passage, count: number, random: SeededRandom): boolean[] {
  // Spaces and line ends alone say nothing: they are marked only where nothing else is left.
  const silent = random.shuffled(silentTokens(passage));
  const worded = silent.filter((position) => (passage.tokens[position] ?? '').trim() !== '');
  const marked = new Set([...worded, ...silent.filter((position) => !worded.includes(position))].slice(0, count));
  return passage.tokens.map((_, position) => marked.has(position));
}
