import { toEightBits, toUnit } from '../../sae-registry/embedder/embedding.ts';
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

/** The first so many different ones. */
export function distinctLabels(count: number, seed: number): string[] {
  const label = syntheticLabels(seed);
  const labels = new Set<string>();
  while (labels.size < count) labels.add(label());
  return [...labels];
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

const width = 384;
const clusters = 4000;
/** How far vectors lie from their cluster's centre: cosines among neighbours are then some 0.6, as among like labels. */
const spread = 0.8;

/** Unit vectors around random centres, made one after the other. */
export class ClusteredVectors {
  readonly #random: () => number;
  readonly #centres: Float32Array;
  /** Normal numbers; every vector takes its noise from another place. */
  readonly #noise: Float32Array;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const normal = () => Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
    this.#centres = Float32Array.from({ length: clusters * width }, normal);
    this.#noise = Float32Array.from({ length: 2 ** 20 }, normal);
  }

  next(): Float32Array {
    const centre = Math.floor(this.#random() * clusters) * width;
    const from = Math.floor(this.#random() * (this.#noise.length - width));
    const vector = new Float32Array(width);
    for (let i = 0; i < width; i++) vector[i] = this.#centres[centre + i] + spread * this.#noise[from + i];
    return toUnit(vector);
  }

  nextEightBits(): Int8Array {
    return toEightBits(this.next());
  }
}
