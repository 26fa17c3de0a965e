import type { ChatPrompt } from './labeller.ts';
import { type Evidence, firingTokens, markedText, type Passage, passageText } from './passage.ts';
import { splitPassages } from './split-passages.ts';

/** How much of the evidence is shown. */
const strongestShown = 10;
const weakerShown = 5;
const logitsShown = 10;

const system = `You describe features of a language model. A feature is active on some tokens and silent on all others.
You see passages on which one feature is active; where it is known, the tokens on which it is active stand between << and >>. You also see words that the model is likelier to write where it is active.
Say in at most 12 words what the active tokens, or the passages around them, have in common. Be concrete: prefer "names of rivers" to "nouns". Describe the common theme only, not single passages, and do not speak of tokens, features, passages or activations.
Answer with one line of JSON and nothing else: {"label": "..."}`;

/**
 * The question for a label: the strongest passages with the tokens on which the feature fires marked, a few weaker ones, and the
 * words that it makes likelier. Passages that scoring holds out are not shown.
 */
export function labelPrompt(evidence: Evidence): ChatPrompt {
  const { shown } = splitPassages(evidence.passages);
  const strongest = shown.slice(0, strongestShown);
  const weaker = spread(shown.slice(strongestShown), weakerShown);
  const parts = [
    ...list('Passages on which it is most active:', strongest),
    ...list('Passages on which it is less active:', weaker),
    ...words('It is active most often on:', evidence.topTokens),
    ...words('It makes likelier:', evidence.topLogits),
  ];
  return { system, user: `${parts.join('\n')}\n\nThe JSON with its label:` };
}

function list(title: string, passages: readonly Passage[]): string[] {
  return passages.length === 0 ? [] : [title, ...passages.map((passage, i) => `${i + 1}. ${shownText(passage)}`), ''];
}

function shownText(passage: Passage): string {
  const marks = firingTokens(passage);
  return marks === null ? passageText(passage) : markedText(passage.tokens, marks);
}

function words(title: string, tokens: readonly string[]): string[] {
  return tokens.length === 0
    ? []
    : [
        `${title} ${tokens
          .slice(0, logitsShown)
          .map((token) => JSON.stringify(token))
          .join(', ')}`,
      ];
}

/** `count` items at equal distances, the first and the last among them. */
function spread<T>(items: readonly T[], count: number): readonly T[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as T);
}
