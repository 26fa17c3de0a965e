import { embeddingWidth, toEightBits, toUnit } from '../../sae-registry/embedder/embedding.ts';
import { seededRandom } from '../random.ts';

/** How much of the difference of two other embeddings is added to one: the cosine with it is then some 0.89. */
const difference = 0.4;

/**
 * Embeddings of any number of labels out of those of some hundred thousand: those first, as they are; each one after them is one of
 * them and a part of the difference of two others, so that it strays as real embeddings differ and not evenly in all directions.
 */
export class LabelVectors {
  readonly #rows: Int8Array;
  readonly #random: () => number;
  #given = 0;

  /** @param rows real ones, 384 numbers each, as the store keeps them */
  constructor(rows: Int8Array, seed: number) {
    this.#rows = rows;
    this.#random = seededRandom(seed);
  }

  next(): Int8Array {
    const count = this.#rows.length / embeddingWidth;
    const its = this.#row(this.#given % count);
    if (this.#given++ < count) return its;
    const [one, other] = [this.#any(count), this.#any(count)];
    const moved = Float32Array.from(its, (value, i) => value + difference * (one[i] - other[i]));
    return toEightBits(toUnit(moved));
  }

  #any(count: number): Int8Array {
    return this.#row(Math.floor(this.#random() * count));
  }

  #row(row: number): Int8Array {
    return this.#rows.subarray(row * embeddingWidth, (row + 1) * embeddingWidth);
  }
}
