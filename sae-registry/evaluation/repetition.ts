/** How much a text repeats itself. */
export interface Repetition {
  /** Share of its runs of three tokens that are different ones; null for a text of fewer than three. */
  readonly distinctTrigrams: number | null;
  /** Tokens of the longest stretch that says again, at once, what was just said. */
  readonly longestRepeat: number;
  /** The same as a share of the text. */
  readonly repeatedShare: number;
}

/** Longest unit whose saying again is looked for: about a sentence. */
const longestUnit = 24;

/**
 * Repetition of a text's tokens. Distinct n-grams as Li et al. 2016 (distinct-n) count them. A repeat is a stretch that equals what stood
 * one unit of 1 to 24 tokens before it, and is a whole unit long at least: `a b a b a b` holds one of 4.
 */
export function repetitionOf(tokens: ArrayLike<number>): Repetition {
  const longestRepeat = longestRepeatOf(tokens);
  return {
    distinctTrigrams: distinctShare(tokens, 3),
    longestRepeat,
    repeatedShare: tokens.length === 0 ? 0 : longestRepeat / tokens.length,
  };
}

function distinctShare(tokens: ArrayLike<number>, n: number): number | null {
  const count = tokens.length - n + 1;
  if (count < 1) return null;
  const seen = new Set<string>();
  for (let at = 0; at < count; at++) seen.add(Array.from({ length: n }, (_, i) => tokens[at + i]).join(' '));
  return seen.size / count;
}

function longestRepeatOf(tokens: ArrayLike<number>): number {
  let longest = 0;
  for (let unit = 1; unit <= Math.min(longestUnit, tokens.length / 2); unit++) {
    let run = 0;
    for (let at = unit; at < tokens.length; at++) {
      run = tokens[at] === tokens[at - unit] ? run + 1 : 0;
      if (run >= unit) longest = Math.max(longest, run);
    }
  }
  return longest;
}
