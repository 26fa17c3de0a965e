import { elementCount } from '../../engine/checkpoint/tensor.ts';
import { seededRandom } from '../random.ts';
import { encodedBytes, encodeWeights, type StoredType } from '../weights/encode-weights.ts';

/** Small enough that every activation stays finite through dozens of blocks, as in models before training. */
const standardDeviation = 0.02;
/** The block is whole blocks of 32; their number is prime, so that no matrix has it as a multiple of its width. */
const blockElements = 32;
const blocks = 32_771;

/**
 * Random weights for any number of tensors from one block of a million normal numbers, repeated, from another place for every tensor:
 * billions are written as fast as the disk takes them. The same seed gives the same weights; every type encodes the same numbers.
 */
export class RandomWeights {
  readonly #values: Float32Array;
  readonly #encoded = new Map<StoredType, Uint8Array>();

  constructor(seed = 1) {
    const random = seededRandom(seed);
    this.#values = new Float32Array(blockElements * blocks).map(() => {
      // Box and Muller
      const radius = Math.sqrt(-2 * Math.log(1 - random()));
      return standardDeviation * radius * Math.cos(2 * Math.PI * random());
    });
  }

  /** A norm's gains, around `middle`. */
  vector(count: number, place: number, middle: number): Float32Array {
    const start = this.#start(place) * blockElements;
    return Float32Array.from({ length: count }, (_, i) => {
      return middle + (this.#values[(start + i) % this.#values.length] as number);
    });
  }

  /** The bytes of a matrix whose rows are whole blocks of 32, in pieces. */
  *matrix(type: StoredType, shape: readonly number[], place: number): Generator<Uint8Array> {
    const encoded = this.#encode(type);
    let at = this.#start(place) * encodedBytes(type, blockElements);
    let left = encodedBytes(type, elementCount(shape));
    while (left > 0) {
      const piece = encoded.subarray(at, Math.min(encoded.length, at + left));
      yield piece;
      left -= piece.length;
      at = (at + piece.length) % encoded.length;
    }
  }

  #start(place: number): number {
    return (place * 7919) % blocks;
  }

  #encode(type: StoredType): Uint8Array {
    const found = this.#encoded.get(type);
    if (found) return found;
    const made = encodeWeights(type, this.#values);
    this.#encoded.set(type, made);
    return made;
  }
}
