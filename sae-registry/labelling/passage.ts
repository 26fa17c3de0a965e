import type { FeatureExample } from '../store/index.ts';

/** A stretch of text on which a feature fires. */
export type Passage = FeatureExample;

/** What is known of a feature, for whoever is to describe it. */
export interface Evidence {
  readonly feature: number;
  /** Strongest first. */
  readonly passages: readonly Passage[];
  /** Output tokens that it makes likelier, most of all first. */
  readonly topLogits: readonly string[];
  /** Tokens on which it fires, most often first. */
  readonly topTokens: readonly string[];
}

/** A token counts as one on which the feature fires from this share of the passage's peak (delphi's threshold). */
const markShare = 0.3;

/** Which tokens are marked as firing; null where only the peak is known. The strongest always is. */
export function firingTokens({ values }: Passage): readonly boolean[] | null {
  if (values === null) return null;
  const peak = Math.max(...values);
  return Array.from(values, (value) => value > 0 && value >= peak * markShare);
}

/** Positions of the tokens on which the feature is silent: exactly 0. */
export function silentTokens({ values }: Passage): readonly number[] {
  return values === null ? [] : [...values.keys()].filter((position) => (values[position] as number) <= 0);
}

/** A passage on one line. */
export function passageText({ tokens }: Pick<Passage, 'tokens'>): string {
  return oneLine(tokens.join('')).trim();
}

/**
 * A passage on one line with marked tokens between `<<` and `>>`; neighbours share one pair. What the text itself has of these
 * signs is pulled apart, so that nothing else looks like a mark.
 */
export function markedText(tokens: readonly string[], marks: readonly boolean[]): string {
  let text = '';
  for (let start = 0; start < tokens.length; ) {
    let end = start + 1;
    while (end < tokens.length && marks[end] === marks[start]) end++;
    const run = oneLine(tokens.slice(start, end).join(''))
      .replace(/<(?=<)/g, '< ')
      .replace(/>(?=>)/g, '> ');
    text += marks[start] ? mark(run) : run;
    start = end;
  }
  return text.trim();
}

/** Spaces stay outside of the marks: ` cat` is ` <<cat>>`. */
function mark(run: string): string {
  const inner = run.trim();
  if (inner === '') return `<<${run}>>`;
  const before = run.slice(0, run.indexOf(inner));
  return `${before}<<${inner}>>${run.slice(before.length + inner.length)}`;
}

function oneLine(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\\n').replace(/\t/g, '\\t');
}
