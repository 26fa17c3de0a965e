import type { Repetition } from './repetition.ts';

/** One generated text and what was measured of it. */
export interface ScoredText {
  /** Generated tokens, the one that ended it too. */
  readonly tokens: number;
  /** Sum of their log-probabilities under the model without any steering. */
  readonly logprob: number;
  readonly repetition: Repetition;
  /** Mean ‖Δ‖/‖x‖ over the tokens that edits wrote to; null where none was. */
  readonly relativeDose: number | null;
  /** A score for each target; null where it has none (a probe over no token). */
  readonly scores: readonly (number | null)[];
}

/** Perplexity of texts together: every token counts the same. Null for no token. */
export function perplexityOf(texts: readonly Pick<ScoredText, 'tokens' | 'logprob'>[]): number | null {
  const tokens = texts.reduce((sum, text) => sum + text.tokens, 0);
  return tokens === 0 ? null : Math.exp(-texts.reduce((sum, text) => sum + text.logprob, 0) / tokens);
}

/** Mean and sample standard deviation of what is there; null where nothing is, and the deviation of one value. */
export interface Spread {
  readonly mean: number | null;
  readonly deviation: number | null;
  readonly count: number;
}

export function spreadOf(values: readonly (number | null)[]): Spread {
  const known = values.filter((value) => value !== null);
  const count = known.length;
  if (count === 0) return { mean: null, deviation: null, count };
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, deviation: null, count };
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (count - 1)), count };
}
