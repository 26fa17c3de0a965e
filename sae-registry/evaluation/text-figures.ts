import { perplexityOf, type ScoredText, spreadOf } from './scored-text.ts';

/** Figures of several texts together. */
export interface TextFigures {
  readonly texts: number;
  readonly tokens: number;
  /** Under the unsteered model, over all tokens; null where none was generated. */
  readonly perplexity: number | null;
  /** Mean over texts; null where none has three tokens. */
  readonly distinctTrigrams: number | null;
  /** Tokens of the longest repeat of any text, and the mean share of a text that lies in its own. */
  readonly longestRepeat: number;
  readonly repeatedShare: number;
  /** Mean over texts; null where nothing was steered. */
  readonly relativeDose: number | null;
}

export function figuresOf(texts: readonly ScoredText[]): TextFigures {
  const repetitions = texts.map(({ repetition }) => repetition);
  return {
    texts: texts.length,
    tokens: texts.reduce((sum, { tokens }) => sum + tokens, 0),
    perplexity: perplexityOf(texts),
    distinctTrigrams: spreadOf(repetitions.map(({ distinctTrigrams }) => distinctTrigrams)).mean,
    longestRepeat: repetitions.reduce((most, { longestRepeat }) => Math.max(most, longestRepeat), 0),
    repeatedShare: spreadOf(repetitions.map(({ repeatedShare }) => repeatedShare)).mean ?? 0,
    relativeDose: spreadOf(texts.map(({ relativeDose }) => relativeDose)).mean,
  };
}
