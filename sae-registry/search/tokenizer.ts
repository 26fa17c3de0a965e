/** How FTS5 takes labels apart; the same words stand in the migration that makes the index. */
export const labelTokenizer = 'porter unicode61 remove_diacritics 2';

export interface Word {
  readonly text: string;
  /** Half-open range of UTF-16 code units. */
  readonly start: number;
  readonly end: number;
}

/** The words of a text, split where SQLite's `unicode61` splits: letters, numbers, private-use characters and their marks. */
export function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[\p{L}\p{N}\p{Co}\p{M}]+/gu)].map((match) => ({
    text: match[0],
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** A word as an FTS5 query that can be no syntax error. */
export function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`;
}

/** Words that say nothing beside others; alone they are searched for like any other. */
const stopWords = new Set(
  `a about all an and any are as at be been being but by can could did do does for from had has have he her his how i if in into is it its
   like me my no not of off on one or our out over she should so some something such than that the their them then there these they this
   those to up us was we were what when where which who whose why will with would you your`.split(/\s+/),
);

/** The words that are worth a search: all but stop words, or all where there are no others. At most `most`, each once. */
export function searchedWords(text: string, most: number): string[] {
  const words = [...new Set(wordsOf(text).map((word) => word.text.toLowerCase()))];
  const telling = words.filter((word) => !stopWords.has(word));
  return (telling.length > 0 ? telling : words).slice(0, most);
}

/** Whether anything is left of a text once it is taken apart. */
export function hasWords(text: string): boolean {
  return /[\p{L}\p{N}\p{Co}]/u.test(text);
}
