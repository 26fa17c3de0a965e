/** Bins that numbers are counted in until the greatest is known. */
const fineBins = 640;

/** Counts positive numbers of unknown range: equal bins from 0 to a power of two, which grows by putting two bins into one. */
export class ValueBins {
  #top: number;
  readonly #counts: Uint32Array;

  constructor(top = 0, counts: Uint32Array = new Uint32Array(fineBins)) {
    this.#top = top;
    this.#counts = counts;
  }

  /** What the constructor takes. */
  get state(): { readonly top: number; readonly counts: Uint32Array } {
    return { top: this.#top, counts: this.#counts };
  }

  add(value: number): void {
    if (this.#top === 0) this.#top = 2 ** Math.ceil(Math.log2(Math.max(value, Number.MIN_VALUE)));
    while (value > this.#top) this.#widen();
    const bin = Math.min(fineBins - 1, Math.floor((value / this.#top) * fineBins));
    this.#counts[Math.max(0, bin)] = (this.#counts[Math.max(0, bin)] as number) + 1;
  }

  /**
   * The same in `bins` equal bins from 0 to `most`. A number may be counted in the bin beside its own if it lies within a thirty-second
   * of a bin of their border (for 20 bins).
   */
  histogram(most: number, bins: number): number[] {
    const result = new Array<number>(bins).fill(0);
    for (let at = 0; at < fineBins; at++) {
      const middle = ((at + 0.5) * this.#top) / fineBins;
      const bin = Math.min(bins - 1, Math.floor((middle / most) * bins));
      result[bin] = (result[bin] as number) + (this.#counts[at] as number);
    }
    return result;
  }

  #widen(): void {
    const counts = this.#counts;
    for (let at = 0; at < fineBins / 2; at++) {
      counts[at] = (counts[2 * at] as number) + (counts[2 * at + 1] as number);
    }
    counts.fill(0, fineBins / 2);
    this.#top *= 2;
  }
}
