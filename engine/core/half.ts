const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * IEEE 754 binary16 of float32 values, as bit patterns: to nearest, ties to even; beyond 65504 infinite, so whoever sends them to
 * others should say where that happens (`largestHalf`).
 */
export function toHalf(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i] as number;
    halves[i] = halfOf(bits[0] as number);
  }
  return halves;
}

/** Largest finite float16. */
export const largestHalf = 65_504;

function halfOf(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 65520 and more round to infinity
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // below 2^-14 halves lie 2^-24 apart: the mantissa with its leading one, shifted to there
  const exponent = magnitude >>> 23;
  if (exponent < 113)
    return exponent < 102 ? sign : sign | rounded((magnitude & 0x7f_ffff) | 0x80_0000, 126 - exponent);
  // a carry out of the mantissa is the next exponent, as it should be
  return sign | (rounded(magnitude, 13) - (112 << 10));
}

/** value / 2^shift, to nearest, ties to even. */
function rounded(value: number, shift: number): number {
  const below = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return below + (rest > half || (rest === half && (below & 1) === 1) ? 1 : 0);
}
