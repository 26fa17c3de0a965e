import type Database from 'better-sqlite3';

/** Above this many labels the count of words is only taken anew when their number has changed by a hundredth. */
const alwaysFresh = 50_000;

/** The index's words with the number of labels that each stands in; read whole, since counting one costs as much as its list is long. */
export class Vocabulary {
  #counts = new Map<string, number>();
  /** Sorted, so that all words of a beginning lie together. */
  #words: string[] = [];
  #labels = -1;

  /** Labels that a word stands in, as of the last reading. */
  count(stem: string): number {
    return this.#counts.get(stem) ?? 0;
  }

  /** Words that more labels than so many have, the commonest last. */
  commonest(labels: number): string[] {
    const found = this.#words.filter((word) => this.count(word) > labels);
    return found.sort((a, b) => this.count(a) - this.count(b));
  }

  /** Words that begin with a stem and go on, the commonest first. */
  continuations(stem: string, most: number, mostLabels: number): string[] {
    const found: string[] = [];
    for (let at = this.#firstFrom(stem); at < this.#words.length && found.length < 200; at++) {
      const word = this.#words[at] as string;
      if (!word.startsWith(stem)) break;
      if (word !== stem && this.count(word) <= mostLabels) found.push(word);
    }
    return found.sort((a, b) => this.count(b) - this.count(a)).slice(0, most);
  }

  /** Reads the words where too much has changed since. @param force where labels were rewritten */
  refresh(connection: Database.Database, labels: number, force: boolean): void {
    const changed = labels !== this.#labels;
    const drifted = labels < alwaysFresh ? changed : Math.abs(labels - this.#labels) > this.#labels / 100;
    if (!drifted && !force && this.#labels >= 0) return;
    const rows = connection.prepare('select term, doc from labels_words').raw().all() as [string, number][];
    this.#counts = new Map(rows);
    this.#words = rows.map(([word]) => word).sort();
    this.#labels = labels;
  }

  #firstFrom(stem: string): number {
    let [low, high] = [0, this.#words.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#words[middle] as string) < stem) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
