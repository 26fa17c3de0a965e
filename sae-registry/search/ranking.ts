import type { LabelTable } from './label-table.ts';

export interface Ranked {
  readonly slot: number;
  readonly score: number;
}

/** Scores are compared as they are shown: so that equal labels tie whatever order their sums were taken in. */
const precision = 1e5;

/**
 * The best of the slots by their scores, best first; then the clearer label, the lower source and feature. One pass with a heap of
 * those that are best so far: most of a million are passed over at one comparison.
 * @param scores of the slots, in their order
 */
export function bestOf(slots: ArrayLike<number>, scores: ArrayLike<number>, table: LabelTable, most: number): Ranked[] {
  const heap = new Heap(table, most);
  for (let at = 0; at < slots.length; at++) heap.offer(slots[at] as number, scores[at] as number);
  return heap.sorted();
}

/** Of two labels of one score: the clearer first, then the lower source, feature and label. */
export function byStanding(table: LabelTable, a: number, b: number): number {
  return (
    clarity(table, b) - clarity(table, a) ||
    table.sources.at(a) - table.sources.at(b) ||
    table.features.at(a) - table.features.at(b) ||
    a - b
  );
}

/** The best so far, the worst of them at the root. */
class Heap {
  readonly #table: LabelTable;
  readonly #most: number;
  readonly #slots: number[] = [];
  readonly #scores: number[] = [];
  /** Scores below this are not among the best. */
  #least = Number.NEGATIVE_INFINITY;

  constructor(table: LabelTable, most: number) {
    this.#table = table;
    this.#most = most;
  }

  offer(slot: number, exact: number): void {
    if (exact < this.#least || this.#most === 0) return;
    const score = rounded(exact);
    if (this.#slots.length < this.#most) {
      this.#slots.push(slot);
      this.#scores.push(score);
      this.#rise(this.#slots.length - 1);
    } else if (this.#compare(slot, score, this.#slots[0] as number, this.#scores[0] as number) < 0) {
      this.#slots[0] = slot;
      this.#scores[0] = score;
      this.#sink();
    }
    if (this.#slots.length === this.#most) this.#least = (this.#scores[0] as number) - 1 / precision;
  }

  sorted(): Ranked[] {
    return this.#slots
      .map((slot, at) => ({ slot, score: this.#scores[at] as number }))
      .sort((a, b) => this.#compare(a.slot, a.score, b.slot, b.score));
  }

  /** Negative: the first is better. */
  #compare(slot: number, score: number, otherSlot: number, otherScore: number): number {
    return otherScore - score || byStanding(this.#table, slot, otherSlot);
  }

  #isWorse(a: number, b: number): boolean {
    const [slots, scores] = [this.#slots as readonly number[], this.#scores as readonly number[]];
    return this.#compare(slots[a] as number, scores[a] as number, slots[b] as number, scores[b] as number) > 0;
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isWorse(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    for (let at = 0; ; ) {
      const [left, right] = [at * 2 + 1, at * 2 + 2];
      let worst = at;
      if (left < this.#slots.length && this.#isWorse(left, worst)) worst = left;
      if (right < this.#slots.length && this.#isWorse(right, worst)) worst = right;
      if (worst === at) return;
      this.#swap(at, worst);
      at = worst;
    }
  }

  #swap(a: number, b: number): void {
    for (const list of [this.#slots, this.#scores]) {
      const value = list[a] as number;
      list[a] = list[b] as number;
      list[b] = value;
    }
  }
}

function clarity(table: LabelTable, slot: number): number {
  const value = table.clarities.at(slot);
  return Number.isNaN(value) ? 0 : value;
}

export function rounded(score: number): number {
  return Math.round(score * precision) / precision;
}
