/**
 * Finds stop strings in a text that arrives in pieces, across their borders.
 *
 * The match that ends first in the text wins, and among those that end together the one that began first. That is the match
 * one would find reading character by character, so it does not depend on how the text was cut into pieces.
 */
export interface StopMatcher {
  /** Adds a piece. `armed` false: matches that end inside this piece do not count (min_tokens). */
  push(piece: string, armed: boolean): StopResult;
  /** What is still held back, once no more text will come. */
  flush(): string;
}

export interface StopResult {
  /** Text that can no longer become part of a stop string. */
  readonly text: string;
  /** The stop string that was found; nothing more may be pushed. */
  readonly stop: string | null;
}

/** @param include the stop string itself belongs to the text, so nothing ever needs to be held back */
export function createStopMatcher(strings: readonly string[], include: boolean): StopMatcher {
  const stops = [...new Set(strings)].filter((stop) => stop.length > 0).sort((a, b) => b.length - a.length);
  const longest = stops[0]?.length ?? 0;
  /** The last characters seen: what a match could have begun in. Its last `held` characters were not given out. */
  let tail = '';
  let held = 0;
  return {
    push(piece, armed) {
      const text = tail + piece;
      const given = tail.length - held;
      const match = armed ? firstMatch(text, tail.length, stops) : null;
      if (match) {
        tail = '';
        held = 0;
        const end = include ? match.end : match.end - match.stop.length;
        return { text: text.slice(given, end), stop: match.stop };
      }
      held = include ? 0 : Math.min(partialLength(text, stops), text.length - given);
      tail = longest > 0 ? text.slice(-Math.max(longest - 1, 1)) : '';
      return { text: text.slice(given, text.length - held), stop: null };
    },
    flush() {
      const text = held > 0 ? tail.slice(-held) : '';
      tail = '';
      held = 0;
      return text;
    },
  };
}

/** The stop string that ends first beyond `from`; `stops` are longest first, so the earliest start wins ties. */
function firstMatch(
  text: string,
  from: number,
  stops: readonly string[],
): { readonly stop: string; readonly end: number } | null {
  let first: { stop: string; end: number } | null = null;
  for (const stop of stops) {
    const start = text.indexOf(stop, Math.max(0, from - stop.length + 1));
    const end = start + stop.length;
    if (start >= 0 && (first === null || end < first.end)) first = { stop, end };
  }
  return first;
}

/** Length of the longest end of `text` that some stop string begins with. */
function partialLength(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
