import type { ChatPrompt } from './labeller.ts';
import type { ScoreMethod, Trial } from './trial.ts';

const systems: Readonly<Record<ScoreMethod, string>> = {
  detection: `You judge descriptions of text. You get one description and a numbered list of passages. For each passage say whether something in it fits the description: 1 if it does, 0 if it does not.
Answer with a JSON list of as many numbers as there are passages, in their order, and nothing else, like [1, 0, 0].`,
  fuzzing: `You judge descriptions of words. You get one description and a numbered list of passages in which some words stand between << and >>. For each passage say whether the marked words are the ones that the description is about: 1 if they are, 0 if other words are marked.
Answer with a JSON list of as many numbers as there are passages, in their order, and nothing else, like [1, 0, 0].`,
};

/** The question whether a label fits each of some trials. */
export function judgementPrompt(method: ScoreMethod, label: string, trials: readonly Trial[]): ChatPrompt {
  const passages = trials.map(({ text }, i) => `${i + 1}. ${text}`).join('\n');
  return {
    system: systems[method],
    user: `Description: ${label.replace(/\s+/g, ' ')}\n\nPassages:\n${passages}\n\nThe JSON list of ${trials.length}:`,
  };
}
