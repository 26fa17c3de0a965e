import type { DictionaryWeights } from './dictionary-weights.ts';

/** What normalising takes off one token's input and divides it by: x = normalised · scale + shift. */
export interface TokenScale {
  readonly shift: number;
  /** By which it is divided. */
  readonly divisor: number;
  /** By which an output is multiplied to undo it (SAELens leaves its epsilon out there). */
  readonly multiplier: number;
}

const asItIs: TokenScale = { shift: 0, divisor: 1, multiplier: 1 };

/** How one token's input is normalised, its mean taken off before where it is `centred`. */
export function tokenScale(
  { normalisation, centred }: Pick<DictionaryWeights, 'normalisation' | 'centred'>,
  input: Float32Array,
): TokenScale {
  const mean = () => input.reduce((sum, value) => sum + value, 0) / input.length;
  switch (normalisation.kind) {
    case 'none':
      return centred ? { ...asItIs, shift: mean() } : asItIs;
    case 'norm': {
      const shift = centred ? mean() : 0;
      const divisor = rootOfSquares(input, shift) / Math.sqrt(input.length);
      return { shift, divisor, multiplier: divisor };
    }
    case 'layer-norm': {
      const shift = mean();
      const deviation = rootOfSquares(input, shift) / Math.sqrt(input.length - 1);
      return { shift, divisor: deviation + normalisation.epsilon, multiplier: deviation };
    }
  }
}

function rootOfSquares(values: Float32Array, shift: number): number {
  return Math.sqrt(values.reduce((sum, value) => sum + (value - shift) ** 2, 0));
}
