export interface Ranked {
  readonly index: number;
  readonly value: number;
}

/** The `limit` largest of many values; equal ones by their index. */
export class BestList {
  readonly #limit: number;
  readonly #items: Ranked[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Values are offered in the order of their indices. */
  offer(index: number, value: number): void {
    const items = this.#items;
    const full = items.length === this.#limit;
    if (Number.isNaN(value) || (full && !(value > (items.at(-1)?.value ?? Number.POSITIVE_INFINITY)))) return;
    if (full) items.pop();
    let at = items.length;
    while (at > 0 && (items[at - 1] as Ranked).value < value) at--;
    items.splice(at, 0, { index, value });
  }

  /** Largest first. */
  get items(): readonly Ranked[] {
    return this.#items;
  }
}
