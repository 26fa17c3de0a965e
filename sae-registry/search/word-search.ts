import type Database from 'better-sqlite3';
import type { LabelTable } from './label-table.ts';
import type { Ranked } from './ranking.ts';
import { bestOf } from './ranking.ts';
import type { Scope } from './scope.ts';
import type { Stemmer } from './stemmer.ts';
import { quoted, searchedWords } from './tokenizer.ts';
import type { Vocabulary } from './vocabulary.ts';

/** BM25's constants; lengths count less than usual (0.75), since labels are all short. */
const saturation = 1.2;
const lengthWeight = 0.4;
/** A word that only begins like a searched one counts so much of it. */
const prefixWeight = 0.4;
/** Words shorter than this are not taken for the beginning of a longer one. */
const shortestPrefix = 3;
const mostPrefixes = 8;
/** Words of a query that are searched for; the rest of a longer one is left out. */
const mostWords = 16;

/**
 * Rows that one word may fetch. A word that more labels of the scope have only adds to the labels that the query's rarer words
 * find; where all words are so common, the first so many labels that have all of them are ranked, then the first that have the
 * rarest. So no query costs more than a few milliseconds, and all but those of common words alone are ranked exactly.
 */
export const mostRows = 10_000;

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
  readonly #table: LabelTable;
  readonly #stemmer: Stemmer;
  readonly #vocabulary: Vocabulary;
  readonly #select: Database.Statement<[string, number, number, number]>;
  #scores = new Float32Array(0);
  /** Number of the word that a label was last counted for. */
  #counted = new Uint8Array(0);
  #touched: number[] = [];

  constructor(connection: Database.Database, table: LabelTable, stemmer: Stemmer, vocabulary: Vocabulary) {
    this.#table = table;
    this.#stemmer = stemmer;
    this.#vocabulary = vocabulary;
    this.#select = connection
      .prepare('select rowid from labels_text where labels_text match ? and rowid between ? and ? limit ?')
      .pluck() as Database.Statement<[string, number, number, number]>;
  }

  /** The best labels of the scope. */
  search(text: string, scope: Scope, most: number): WordMatches {
    const words = scope.size === 0 ? [] : this.#words(text);
    const ideal = words.reduce((sum, { inverse }) => sum + inverse, 0);
    if (words.length === 0) return { labels: [], ideal };
    this.#reset();
    const limit = scope.to - scope.from <= mostRows ? Number.POSITIVE_INFINITY : mostRows;
    const leading = words.filter(({ rows }) => rows <= limit);
    if (leading.length === 0) this.#searchCommon(words, scope);
    else this.#searchLed(words, leading, scope);
    return { labels: bestOf(this.#touched, this.#scores, this.#table, most), ideal };
  }

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

  #searchLed(words: readonly QueryWord[], leading: readonly QueryWord[], scope: Scope): void {
    const led = `(${leading.map(({ word }) => quoted(word)).join(' OR ')})`;
    for (const [at, word] of words.entries()) {
      const isLeading = leading.includes(word);
      const query = isLeading ? quoted(word.word) : `${led} AND ${quoted(word.word)}`;
      this.#count(query, word.inverse, at + 1, scope, mostRows * leading.length);
      if (isLeading) this.#countContinuations(word, at + 1, scope);
    }
  }

  /** Every word stands in very many labels. */
  #searchCommon(words: readonly QueryWord[], scope: Scope): void {
    const all = words.map(({ word }) => quoted(word)).join(' AND ');
    const sum = words.reduce((total, { inverse }) => total + inverse, 0);
    this.#count(all, sum, 1, scope, mostRows);
    const [rarest] = words;
    if (rarest && words.length > 1 && this.#touched.length < mostRows) {
      this.#count(quoted(rarest.word), rarest.inverse, 1, scope, mostRows);
    }
  }

  #countContinuations({ stem }: QueryWord, number: number, scope: Scope): void {
    if (stem.length < shortestPrefix) return;
    const longer = this.#vocabulary.continuations(stem, mostPrefixes, mostRows / mostPrefixes);
    const stems = this.#stemmer.stems(longer);
    for (const [at, word] of longer.entries()) {
      // A stem that would be stemmed again cannot be asked for.
      if (stems[at] !== word) continue;
      const inverse = inverseFrequency(this.#vocabulary.count(word), this.#table.length);
      this.#count(quoted(word), prefixWeight * inverse, number, scope, mostRows);
    }
  }

  /** Adds a word's share to each label that has it and was not counted for the same word yet. */
  #count(query: string, inverse: number, number: number, scope: Scope, most: number): void {
    const [table, scores, counted] = [this.#table, this.#scores, this.#counted];
    const average = table.averageLength;
    const [first, last] = [table.ids.at(scope.from), table.ids.at(scope.to - 1)];
    for (const id of this.#select.all(query, first, last, most) as number[]) {
      const slot = table.slotOf(id);
      if (slot < 0 || (scope.mask !== null && scope.mask[slot] !== 1) || counted[slot] === number) continue;
      if (counted[slot] === 0) this.#touched.push(slot);
      counted[slot] = number;
      const length = 1 - lengthWeight + (lengthWeight * table.lengths.at(slot)) / average;
      scores[slot] = (scores[slot] as number) + (inverse * (saturation + 1)) / (1 + saturation * length);
    }
  }

  #reset(): void {
    for (const slot of this.#touched) {
      this.#scores[slot] = 0;
      this.#counted[slot] = 0;
    }
    this.#touched = [];
    if (this.#scores.length >= this.#table.length) return;
    this.#scores = new Float32Array(this.#table.length * 1.2 + 1024);
    this.#counted = new Uint8Array(this.#scores.length);
  }
}

function inverseFrequency(rows: number, labels: number): number {
  return Math.log(1 + (Math.max(labels, rows) - rows + 0.5) / (rows + 0.5));
}
