/** Sentence embeddings as plain arithmetic: pooled token states, unit length, eight bits. */

/** Numbers of an embedding of all-MiniLM-L6-v2. */
export const embeddingWidth = 384;

/**
 * The mean of a text's token states, at unit length.
 * @param states [batch, tokens, width], row-major
 * @param lengths tokens of each text; what comes after them is padding
 */
export function pooled(
  states: Float32Array,
  lengths: readonly number[],
  tokens: number,
  width: number,
): Float32Array[] {
  return lengths.map((length, row) => {
    const sum = new Float32Array(width);
    for (let token = 0; token < length; token++) {
      const at = (row * tokens + token) * width;
      for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + (states[at + i] as number);
    }
    return toUnit(sum);
  });
}

/** At length 1; zeros stay zeros. */
export function toUnit(values: Float32Array): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? values : values.map((value) => value / length);
}

/** A unit vector times 127, rounded: how the store keeps it. */
export function toEightBits(unit: Float32Array): Int8Array {
  return Int8Array.from(unit, (value) => Math.max(-127, Math.min(127, Math.round(value * 127))));
}
