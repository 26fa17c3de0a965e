import { searchedWords } from '../../sae-registry/search/tokenizer.ts';
import { seededRandom } from '../random.ts';
import { readBundledLabels } from './queries.ts';

const [startMark, endMark] = ['', '\n'] as const;
/** Share of words that the bundled labels do not have: names, jargon. */
const rareShare = 0.06;
const rareWords = 60_000;
const longestLabel = 24;

/** Labels that read like the bundled ones: each word follows the one before as often as it does there; some are rare words. */
export function syntheticLabels(seed: number): () => string {
  const random = seededRandom(seed);
  const following = new Map<string, string[]>();
  for (const { label } of readBundledLabels()) {
    const words = [startMark, ...label.split(' '), endMark];
    for (const [at, word] of words.slice(0, -1).entries()) {
      const next = following.get(word) ?? [];
      next.push(words[at + 1]);
      following.set(word, next);
    }
  }
  return () => {
    const words: string[] = [];
    let word: string = startMark;
    while (words.length < longestLabel) {
      const next = following.get(word) ?? [endMark];
      word = next[Math.floor(random() * next.length)];
      if (word === endMark) break;
      words.push(random() < rareShare ? rareWord(random()) : word);
    }
    return words.join(' ');
  };
}

/** So many labels, of which the first `distinct` are all different. */
export function manyLabels(count: number, distinct: number, seed: number): string[] {
  const label = syntheticLabels(seed);
  const labels = new Set<string>();
  while (labels.size < Math.min(count, distinct)) labels.add(label());
  return [...labels, ...Array.from({ length: count - labels.size }, label)];
}

/** A few telling words of labels that were never written: each query once. */
export function syntheticQueries(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  const label = syntheticLabels(seed + 1);
  const queries = new Set<string>();
  while (queries.size < count) {
    const words = searchedWords(label(), longestLabel);
    const first = Math.floor(random() * words.length);
    const query = words.slice(first, first + 1 + Math.floor(random() * 4)).join(' ');
    if (query !== '') queries.add(query);
  }
  return [...queries];
}

/** The rarer, the more of them: word n of Zipf's law, spelled in syllables. */
function rareWord(chance: number): string {
  let rank = Math.floor(rareWords ** chance);
  let word = '';
  do {
    word += `${'bdfgklmnprstvz'[rank % 14]}${'aeiou'[Math.floor(rank / 14) % 5]}`;
    rank = Math.floor(rank / 70);
  } while (rank > 0);
  return `${word}x`;
}
