import Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { labelTokenizer } from './tokenizer.ts';

/** Words whose stems are remembered. */
const remembered = 50_000;

/**
 * Words as the index of labels holds them: without case, accents and English endings. SQLite's own tokenizer does it, in an empty
 * database of its own, so that no second stemmer has to agree with the index.
 */
export class Stemmer {
  readonly #connection = new Database(':memory:');
  readonly #insert: Database.Statement<[number, string]>;
  readonly #read: Database.Statement<[]>;
  readonly #known = new LRUCache<string, string>({ max: remembered });

  constructor() {
    this.#connection.exec(`
      create virtual table probe using fts5(word, tokenize='${labelTokenizer}');
      create virtual table stems using fts5vocab('probe', 'instance');
    `);
    this.#insert = this.#connection.prepare('insert into probe(rowid, word) values (?, ?)');
    this.#read = this.#connection.prepare('select doc, term from stems').raw();
  }

  /** The stem of each word, in their order; an empty text where the index would hold none, or several. */
  stems(words: readonly string[]): string[] {
    const unknown = [...new Set(words.filter((word) => !this.#known.has(word)))];
    if (unknown.length > 0) this.#learn(unknown);
    return words.map((word) => this.#known.get(word) ?? '');
  }

  close(): void {
    this.#connection.close();
  }

  #learn(words: readonly string[]): void {
    const found = new Map<number, string[]>();
    this.#connection.exec('begin');
    try {
      for (const [at, word] of words.entries()) this.#insert.run(at + 1, word);
      for (const [doc, term] of this.#read.all() as [number, string][]) {
        found.set(doc, [...(found.get(doc) ?? []), term]);
      }
    } finally {
      this.#connection.exec('rollback');
    }
    for (const [at, word] of words.entries()) {
      const stems = found.get(at + 1) ?? [];
      this.#known.set(word, stems.length === 1 ? (stems[0] as string) : '');
    }
  }
}
