import type Database from 'better-sqlite3';
import { type LabelTable, mostCharacters } from './label-table.ts';
import { eachSlot, hasSlot, type Posting, Postings } from './postings.ts';
import { bestOf, type Ranked } from './ranking.ts';
import type { Scope } from './scope.ts';
import type { Stemmer } from './stemmer.ts';
import { searchedWords } from './tokenizer.ts';
import type { Vocabulary } from './vocabulary.ts';

/** BM25's constants; lengths count less than usual (0.75), since labels are all short. */
const saturation = 1.2;
const lengthWeight = 0.4;
/** A word that only begins like a searched one counts so much of it. */
const prefixWeight = 0.4;
/** Words shorter than this are not taken for the beginning of a longer one. */
const shortestPrefix = 3;
const mostPrefixes = 8;
/** Labels that a longer word may stand in. */
const mostPrefixLabels = 1250;
/** Words of a query that are searched for; the rest of a longer one is left out. */
const mostWords = 16;

/**
 * Labels that a query may rank. Its rarest words find labels until there would be more; those left, which are the commonest, only add
 * to the labels that the others find. So a query costs a few milliseconds at most, and all but those of several very common words
 * are ranked exactly.
 */
export const mostRows = 200_000;

/** Words that stand in more labels than this are read when all labels are read: one that half of a million have takes 0.1 s. */
const readBeforehand = 5000;

interface QueryWord {
  readonly word: string;
  readonly stem: string;
  readonly inverse: number;
  readonly rows: number;
}

export interface WordMatches {
  /** Best first; clearer labels before others of the same score. */
  readonly labels: readonly Ranked[];
  /** What a label of average length would get that has every word of the query. */
  readonly ideal: number;
}

/** BM25 over the labels' full-text index; a word counts once a label, which labels of a few words hardly notice. */
export class WordSearch {
  readonly #postings: Postings;
  readonly #table: LabelTable;
  readonly #stemmer: Stemmer;
  readonly #vocabulary: Vocabulary;
  #scores = new Float32Array(0);
  /** Number of the word that a label was last counted for. */
  #counted = new Uint8Array(0);
  /** The first `#found` of it are the labels that were found. */
  #touched = new Uint32Array(0);
  #found = 0;
  /** BM25's share of a word that stands once in a label, by the label's characters; as of an average length. */
  #weights = new Float32Array(mostCharacters + 1);
  #weightsOf = 0;

  constructor(connection: Database.Database, table: LabelTable, stemmer: Stemmer, vocabulary: Vocabulary) {
    this.#table = table;
    this.#stemmer = stemmer;
    this.#vocabulary = vocabulary;
    this.#postings = new Postings(connection, table);
  }

  /** Reads beforehand what would keep a search waiting. */
  readCommon(): void {
    const common = this.#vocabulary.commonest(readBeforehand);
    const stems = this.#stemmer.stems(common);
    // The commonest are read last: they are to be forgotten last.
    for (const [at, word] of common.entries()) if (stems[at] === word) this.#postings.of(word, word);
  }

  /** The best labels of the scope. */
  search(text: string, scope: Scope, most: number): WordMatches {
    const words = scope.size === 0 ? [] : this.#words(text);
    const ideal = words.reduce((sum, { inverse }) => sum + inverse, 0);
    if (words.length === 0) return { labels: [], ideal };
    this.#reset();
    let rows = 0;
    for (const [at, word] of words.entries()) {
      rows += word.rows;
      const finds = at === 0 || rows <= mostRows;
      const posting = this.#postings.of(word.word, word.stem);
      if (finds) this.#find(posting, word.inverse, at + 1, scope);
      else this.#addTo(posting, word.inverse, at + 1);
      if (finds) this.#findContinuations(word, at + 1, scope);
    }
    const touched = this.#touched.subarray(0, this.#found);
    const scores = new Float32Array(touched.length);
    for (let at = 0; at < scores.length; at++) scores[at] = this.#scores[touched[at] as number] as number;
    return { labels: bestOf(touched, scores, this.#table, most), ideal };
  }

  /** The rarest first. */
  #words(text: string): QueryWord[] {
    const words = searchedWords(text, mostWords);
    const stems = this.#stemmer.stems(words);
    const labels = this.#table.length;
    const found = new Map<string, QueryWord>();
    for (const [at, stem] of stems.entries()) {
      if (stem === '' || found.has(stem)) continue;
      const rows = this.#vocabulary.count(stem);
      found.set(stem, { word: words[at] as string, stem, rows, inverse: inverseFrequency(rows, labels) });
    }
    return [...found.values()].sort((a, b) => a.rows - b.rows);
  }

  #findContinuations({ stem }: QueryWord, number: number, scope: Scope): void {
    if (stem.length < shortestPrefix) return;
    const longer = this.#vocabulary.continuations(stem, mostPrefixes, mostPrefixLabels);
    const stems = this.#stemmer.stems(longer);
    for (const [at, word] of longer.entries()) {
      // A stem that would be stemmed again cannot be asked for.
      if (stems[at] !== word) continue;
      const inverse = inverseFrequency(this.#vocabulary.count(word), this.#table.length);
      this.#find(this.#postings.of(word, word), prefixWeight * inverse, number, scope);
    }
  }

  /** Adds a word's share to each label of the scope that has it and was not counted for the same word yet. */
  #find(posting: Posting, inverse: number, number: number, { from, to, mask }: Scope): void {
    const [scores, counted, touched, weights, lengths] = this.#arrays();
    let found = this.#found;
    eachSlot(posting, from, to, (slot) => {
      if (counted[slot] === number || (mask !== null && mask[slot] !== 1)) return;
      if (counted[slot] === 0) touched[found++] = slot;
      counted[slot] = number;
      scores[slot] = (scores[slot] as number) + inverse * (weights[lengths[slot] as number] as number);
    });
    this.#found = found;
  }

  /** The same for the labels that were found already. */
  #addTo(posting: Posting, inverse: number, number: number): void {
    const [scores, counted, touched, weights, lengths] = this.#arrays();
    for (let at = 0; at < this.#found; at++) {
      const slot = touched[at] as number;
      if (counted[slot] === number || !hasSlot(posting, slot)) continue;
      counted[slot] = number;
      scores[slot] = (scores[slot] as number) + inverse * (weights[lengths[slot] as number] as number);
    }
  }

  #arrays() {
    const { lengths } = this.#table;
    return [this.#scores, this.#counted, this.#touched, this.#lengthWeights(), lengths.values] as const;
  }

  #lengthWeights(): Float32Array {
    const average = this.#table.averageLength;
    if (average === this.#weightsOf) return this.#weights;
    for (let length = 0; length < this.#weights.length; length++) {
      const relative = 1 - lengthWeight + (lengthWeight * length) / average;
      this.#weights[length] = (saturation + 1) / (1 + saturation * relative);
    }
    this.#weightsOf = average;
    return this.#weights;
  }

  #reset(): void {
    for (let at = 0; at < this.#found; at++) {
      const slot = this.#touched[at] as number;
      this.#scores[slot] = 0;
      this.#counted[slot] = 0;
    }
    this.#found = 0;
    if (this.#scores.length >= this.#table.length) return;
    this.#scores = new Float32Array(Math.ceil(this.#table.length * 1.2) + 1024);
    this.#counted = new Uint8Array(this.#scores.length);
    this.#touched = new Uint32Array(this.#scores.length);
  }
}

function inverseFrequency(rows: number, labels: number): number {
  return Math.log(1 + (Math.max(labels, rows) - rows + 0.5) / (rows + 0.5));
}
