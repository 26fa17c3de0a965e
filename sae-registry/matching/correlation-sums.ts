import type { SparseActivations } from '../../engine/core/index.ts';
import type { Pace } from '../relations/pace.ts';
import type { PairValues } from './cosine-matrix.ts';

/** Features of one source over the tokens so far. */
interface Moments {
  readonly fired: Uint32Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

/** Features that are compared, as indices in their source, and the correlations of every pair of them. */
export interface Correlations extends PairValues {
  readonly ofA: readonly number[];
  readonly ofB: readonly number[];
}

/**
 * Sums from which Pearson correlations of the activations of two sources' features come, over texts of any length: of each feature its
 * sum and squares, of each pair the sum of products, of which only those of features that fire on the same token are touched. A row of
 * pairs is made when its feature first fires, so memory is at most 8 bytes · a · b. Sums in float64.
 */
export class CorrelationSums {
  readonly #a: Moments;
  readonly #b: Moments;
  /** Sums of products with every feature of b; by feature of a. */
  readonly #products: (Float64Array | undefined)[];
  #tokens = 0;

  /** @param a features of the first source @param b of the second */
  constructor(a: number, b: number) {
    this.#a = moments(a);
    this.#b = moments(b);
    this.#products = new Array(a);
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** One text as both sources read it; tokens that do not count are left out. */
  add(a: SparseActivations, b: SparseActivations, counted: readonly boolean[]): void {
    for (let t = 0; t < a.tokens; t++) {
      if (!counted[t]) continue;
      this.#tokens++;
      note(this.#a, a, t);
      note(this.#b, b, t);
      const [from, to] = [b.offsets[t] as number, b.offsets[t + 1] as number];
      for (let i = a.offsets[t] as number; i < (a.offsets[t + 1] as number); i++) {
        const row = this.#row(a.indices[i] as number);
        const value = a.values[i] as number;
        for (let j = from; j < to; j++) {
          const column = b.indices[j] as number;
          row[column] = (row[column] as number) + value * (b.values[j] as number);
        }
      }
    }
  }

  /**
   * Correlations of the features that fire on `least` tokens or more: (Σab/n − mean a · mean b) / (deviation a · deviation b), silence being
   * 0. One that is the same on every token has none, and gets 0.
   */
  async correlations(least: number, pace: Pace | null): Promise<Correlations> {
    const [ofA, ofB] = [often(this.#a, least), often(this.#b, least)];
    const [inA, inB] = [spread(this.#a, this.#tokens), spread(this.#b, this.#tokens)];
    const values = new Float32Array(ofA.length * ofB.length);
    for (const [row, a] of ofA.entries()) {
      if (pace?.isDue()) await pace.turn();
      const products = this.#products[a];
      for (const [column, b] of ofB.entries()) {
        const scale = (inA.deviation[a] as number) * (inB.deviation[b] as number);
        const mean = (products?.[b] ?? 0) / this.#tokens;
        const shared = mean - (inA.mean[a] as number) * (inB.mean[b] as number);
        values[row * ofB.length + column] = scale > 0 ? shared / scale : 0;
      }
    }
    return { rows: ofA.length, columns: ofB.length, values, ofA, ofB };
  }

  #row(feature: number): Float64Array {
    const known = this.#products[feature];
    if (known) return known;
    const made = new Float64Array(this.#b.fired.length);
    this.#products[feature] = made;
    return made;
  }
}

function moments(features: number): Moments {
  return { fired: new Uint32Array(features), sum: new Float64Array(features), squares: new Float64Array(features) };
}

function note({ fired, sum, squares }: Moments, { offsets, indices, values }: SparseActivations, t: number): void {
  for (let at = offsets[t] as number; at < (offsets[t + 1] as number); at++) {
    const feature = indices[at] as number;
    const value = values[at] as number;
    fired[feature] = (fired[feature] as number) + 1;
    sum[feature] = (sum[feature] as number) + value;
    squares[feature] = (squares[feature] as number) + value * value;
  }
}

function often({ fired }: Moments, least: number): number[] {
  return [...fired.keys()].filter((feature) => (fired[feature] as number) >= least);
}

function spread({ sum, squares }: Moments, tokens: number) {
  const mean = sum.map((value) => value / tokens);
  // what rounding leaves of a constant is no spread
  const variance = squares.map((value, i) => {
    const square = value / tokens;
    const left = square - (mean[i] as number) ** 2;
    return left > square * 1e-12 ? left : 0;
  });
  return { mean, deviation: variance.map(Math.sqrt) };
}
