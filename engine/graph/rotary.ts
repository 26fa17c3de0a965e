/**
 * Cosines and sines of rotary position embeddings, [positions, headDim / 2] each, rounded to float32 step by step as
 * transformers does (modeling_rope_utils.py: inverse frequencies, then angles, then the tables).
 */
export function rotaryTableValues(headDim: number, base: number, positions: number) {
  const half = headDim / 2;
  const cosine = new Float32Array(positions * half);
  const sine = new Float32Array(positions * half);
  for (let i = 0; i < half; i++) {
    const inverseFrequency = Math.fround(1 / Math.fround(base ** ((2 * i) / headDim)));
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * inverseFrequency);
      cosine[position * half + i] = Math.cos(angle);
      sine[position * half + i] = Math.sin(angle);
    }
  }
  return { cosine, sine };
}
