import type { Highlight } from './query.ts';
import type { Stemmer } from './stemmer.ts';
import { searchedWords, wordsOf } from './tokenizer.ts';

/** Where the words of a query stand in labels: the same stems, in code points. */
export function highlights(query: string, texts: readonly string[], stemmer: Stemmer): Highlight[][] {
  const wanted = new Set(stemmer.stems(searchedWords(query, 64)).filter((stem) => stem !== ''));
  const words = texts.map(wordsOf);
  const stems = stemmer.stems(words.flatMap((list) => list.map(({ text }) => text.toLowerCase())));
  let at = 0;
  return words.map((list, label) => {
    const found = list.filter(() => wanted.has(stems[at++] as string));
    return found.map(({ start, end }) => inCodePoints(texts[label] as string, start, end));
  });
}

function inCodePoints(text: string, start: number, end: number): Highlight {
  const before = [...text.slice(0, start)].length;
  return { start: before, end: before + [...text.slice(start, end)].length };
}
