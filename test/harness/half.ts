/** A number rounded to IEEE half precision, to nearest with ties to even, as the number it then is. */
export function roundedToHalf(value: number): number {
  const magnitude = Math.abs(value);
  if (!(magnitude < 65520)) return value * Number.POSITIVE_INFINITY;
  // numbers of one power of two lie evenly; those below 2^-14 as those above it
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const unit = 2 ** (exponent - 10);
  const count = magnitude / unit;
  const below = Math.floor(count);
  const rest = count - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  return Math.sign(value) * (below + (up ? 1 : 0)) * unit;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The bits of a number that is one in half precision. */
export function halfBits(value: number): number {
  float[0] = value;
  const bits = floatBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude === 0x7f800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) return sign | (Math.abs(value) * 2 ** 24);
  return sign | ((magnitude - 0x38000000) >>> 13);
}

const numbers = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
});

/** The number that the bits stand for. */
export const numberOfHalf = (bits: number): number => numbers[bits] as number;
