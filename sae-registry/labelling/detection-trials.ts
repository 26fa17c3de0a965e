import type { Negatives } from './negatives.ts';
import { type Passage, passageText } from './passage.ts';
import type { SeededRandom } from './seeded-random.ts';
import { splitPassages } from './split-passages.ts';
import type { Trial } from './trial.ts';

/**
 * Passages on which the feature fires, and as many of other features, shuffled. Passages that a label made here has not seen come
 * first; `seen` counts the others. Empty where either kind is missing.
 */
export function detectionTrials(
  passages: readonly Passage[],
  negatives: Negatives,
  most: number,
  random: SeededRandom,
): { readonly trials: readonly Trial[]; readonly seen: number } {
  const { shown, heldOut } = splitPassages(passages);
  const unseen = random.shuffled(heldOut).slice(0, most);
  const seen = random.shuffled(shown).slice(0, most - unseen.length);
  const trials: Trial[] = [
    ...[...unseen, ...seen].map((passage) => ({ text: passageText(passage), truth: true, kind: 'own' as const })),
    ...negatives.random.map((passage) => ({ text: passageText(passage), truth: false, kind: 'random' as const })),
    ...negatives.hard.map((passage) => ({ text: passageText(passage), truth: false, kind: 'hard' as const })),
  ];
  const both = passages.length > 0 && negatives.random.length + negatives.hard.length > 0;
  return { trials: both ? random.shuffled(trials) : [], seen: seen.length };
}
