import type { SparseActivations } from '../../engine/core/index.ts';
import { countedTokens } from '../rank-activations.ts';
import { BestList, type Ranked } from '../relations/best-list.ts';
import { type Cofiring, firingCosine, leastTogether } from './firing-cosine.ts';

/** What was read of one text in a source. */
export interface SourceReading {
  readonly activations: SparseActivations;
  /** Null: not known. */
  readonly sinkNorm: number | null;
}

/** Of each feature of a source: tokens on which it fires, and on which it does so together with the one asked about. */
interface Counts {
  readonly fired: Uint32Array;
  readonly together: Uint32Array;
}

/**
 * Counts on which tokens one feature fires, and on which of them the features of several sources do, the feature's own among them:
 * eight bytes a feature, whatever the texts' length. A token counts where it does in all of these sources.
 */
export class CofiringCount {
  readonly #own: { readonly source: number; readonly index: number };
  readonly #counts: readonly Counts[];
  #tokens = 0;
  #fired = 0;

  /** @param own place of the feature's source among the sources, and its index there @param features of each source */
  constructor(own: { readonly source: number; readonly index: number }, features: readonly number[]) {
    this.#own = own;
    this.#counts = features.map((count) => ({ fired: new Uint32Array(count), together: new Uint32Array(count) }));
  }

  /** Tokens that counted. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Of those, how many the feature fired on. */
  get fired(): number {
    return this.#fired;
  }

  /** One text, read in every source. */
  add(readings: readonly SourceReading[]): void {
    const [first] = readings;
    if (first === undefined) return;
    const masks = readings.map(({ activations, sinkNorm }) => countedTokens(activations, sinkNorm));
    for (let t = 0; t < first.activations.tokens; t++) {
      if (!masks.every((mask) => mask[t])) continue;
      this.#tokens++;
      const fires = this.#fires(readings, t);
      if (fires) this.#fired++;
      for (const [s, { fired, together }] of this.#counts.entries()) {
        for (const feature of firedOn(readings[s] as SourceReading, t)) {
          fired[feature] = (fired[feature] as number) + 1;
          if (fires) together[feature] = (together[feature] as number) + 1;
        }
      }
    }
  }

  /** The features of a source with the largest firing cosines, largest first, without the feature itself. */
  closest(source: number, limit: number): readonly (Cofiring & Ranked)[] {
    const { fired, together } = this.#counts[source] as Counts;
    const own = source === this.#own.source ? this.#own.index : -1;
    const best = new BestList(limit);
    for (let other = 0; other < fired.length; other++) {
      const both = together[other] as number;
      if (other !== own && both >= leastTogether) {
        best.offer(other, firingCosine(both, this.#fired, fired[other] as number));
      }
    }
    return best.items.map((item) => ({
      ...item,
      together: together[item.index] as number,
      fired: fired[item.index] as number,
    }));
  }

  #fires(readings: readonly SourceReading[], t: number): boolean {
    return firedOn(readings[this.#own.source] as SourceReading, t).includes(this.#own.index);
  }
}

function firedOn({ activations: { offsets, indices } }: SourceReading, t: number): Uint32Array {
  return indices.subarray(offsets[t], offsets[t + 1]);
}
