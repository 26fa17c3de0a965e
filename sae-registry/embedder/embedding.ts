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
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) * (values[i] as number);
  if (sum === 0) return values;
  const scale = 1 / Math.sqrt(sum);
  const unit = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) unit[i] = (values[i] as number) * scale;
  return unit;
}

/** A unit vector times 127, rounded: how the store keeps it. */
export function toEightBits(unit: Float32Array): Int8Array {
  const values = new Int8Array(unit.length);
  for (let i = 0; i < unit.length; i++)
    values[i] = Math.max(-127, Math.min(127, Math.round((unit[i] as number) * 127)));
  return values;
}
