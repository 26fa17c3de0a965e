/** Tokens that are counted at a time. */
const counters = 64;

/**
 * How often each of many tokens came, in bounded memory: exact while there are no more different ones than counters; beyond that a
 * count may be too high by at most a counter's share of all (Metwally et al. 2005, Space-Saving).
 */
export class TokenCounts {
  readonly #counts: Map<number, number>;

  /** @param held what `entries` gave */
  constructor(held: Iterable<readonly [token: number, count: number]> = []) {
    this.#counts = new Map(held);
  }

  add(token: number): void {
    const known = this.#counts.get(token);
    if (known !== undefined) this.#counts.set(token, known + 1);
    else if (this.#counts.size < counters) this.#counts.set(token, 1);
    else {
      let [rarest, least] = [0, Number.POSITIVE_INFINITY];
      for (const [each, count] of this.#counts) if (count < least) [rarest, least] = [each, count];
      this.#counts.delete(rarest);
      this.#counts.set(token, least + 1);
    }
  }

  entries(): [number, number][] {
    return [...this.#counts];
  }

  /** The most frequent ones; of equal ones those that came first. */
  top(count: number): number[] {
    return this.entries()
      .sort((a, b) => b[1] - a[1])
      .slice(0, count)
      .map(([token]) => token);
  }
}
