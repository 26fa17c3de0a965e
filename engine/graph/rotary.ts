import type { RotaryEmbedding, RotaryScaling } from '../core/index.ts';

/**
 * Cosines and sines of rotary position embeddings, [positions, dimensions / 2] each, rounded to float32 step by step as
 * transformers does (modeling_rope_utils.py: inverse frequencies, then angles, then the tables).
 */
export function rotaryTableValues({ dimensions, base, scaling }: RotaryEmbedding, positions: number) {
  const half = dimensions / 2;
  const cosine = new Float32Array(positions * half);
  const sine = new Float32Array(positions * half);
  for (let i = 0; i < half; i++) {
    const unscaled = Math.fround(1 / Math.fround(base ** ((2 * i) / dimensions)));
    const inverseFrequency = scaling === null ? unscaled : scaled(unscaled, scaling, i);
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * inverseFrequency);
      cosine[position * half + i] = Math.cos(angle);
      sine[position * half + i] = Math.sin(angle);
    }
  }
  return { cosine, sine };
}

function scaled(inverseFrequency: number, scaling: RotaryScaling, pair: number): number {
  if (scaling.kind === 'divided') return Math.fround(inverseFrequency / (scaling.divisors[pair] ?? 1));
  const low = Math.fround(inverseFrequency / scaling.factor);
  if (scaling.kind === 'linear') return low;
  const { lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  const wavelength = (2 * Math.PI) / inverseFrequency;
  if (wavelength < originalContext / highFrequencyFactor) return inverseFrequency;
  if (wavelength > originalContext / lowFrequencyFactor) return low;
  const kept = (originalContext / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return Math.fround((1 - kept) * low + kept * inverseFrequency);
}
