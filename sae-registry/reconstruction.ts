import type { SparseActivations } from '../engine/core/index.ts';
import type { Dictionary } from './dictionary.ts';

/** What a dictionary makes of the activations that were read of `stream` [tokens, dIn]: [tokens, dOut]. */
export function reconstruct(
  dictionary: Dictionary,
  { tokens, offsets, indices, values }: SparseActivations,
  stream: Float32Array,
): Float32Array {
  const { features } = dictionary;
  const dense = new Float32Array(tokens * features);
  for (let t = 0; t < tokens; t++) {
    for (let at = offsets[t] as number; at < (offsets[t + 1] as number); at++) {
      dense[t * features + (indices[at] as number)] = values[at] as number;
    }
  }
  return dictionary.decode(dense, stream);
}

/** How well a dictionary describes a stream, token by token, in memory that does not grow with it. */
export class ReconstructionTally {
  readonly #width: number;
  readonly #fired: Uint8Array;
  readonly #sum: Float64Array;
  #squares = 0;
  #errors = 0;
  #active = 0;
  #tokens = 0;

  constructor(width: number, features: number) {
    this.#width = width;
    this.#fired = new Uint8Array(features);
    this.#sum = new Float64Array(width);
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Over the tokens that count: what was to be described, and what it was described as, both [tokens, width]. */
  add(
    { target, made }: { readonly target: Float32Array; readonly made: Float32Array },
    activations: SparseActivations,
    counted: readonly boolean[],
  ): void {
    const width = this.#width;
    const { offsets, indices, active } = activations;
    for (const [t, counts] of counted.entries()) {
      if (!counts) continue;
      this.#tokens++;
      this.#active += active[t] as number;
      for (let at = offsets[t] as number; at < (offsets[t + 1] as number); at++) this.#fired[indices[at] as number] = 1;
      for (let i = 0; i < width; i++) {
        const value = target[t * width + i] as number;
        this.#sum[i] = (this.#sum[i] as number) + value;
        this.#squares += value * value;
        this.#errors += (value - (made[t * width + i] as number)) ** 2;
      }
    }
  }

  /** 1 − Σ‖x − x̂‖² / Σ‖x − mean(x)‖² */
  get explainedVariance(): number {
    const ofMean = this.#sum.reduce((sum, value) => sum + value * value, 0) / this.#tokens;
    return 1 - this.#errors / (this.#squares - ofMean);
  }

  /** Mean number of active features. */
  get l0(): number {
    return this.#active / this.#tokens;
  }

  /** Features that fired on no token. */
  get silent(): number {
    return this.#fired.reduce((count, fired) => count + Number(fired === 0), 0);
  }
}
