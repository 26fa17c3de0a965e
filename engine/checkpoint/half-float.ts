/** The number a float16 bit pattern stands for. */
export function halfToFloat(bits: number): number {
  return halfTable()[bits] as number;
}

/** The float16 that begins at byte `at`, little endian. */
export function halfAt(bytes: Uint8Array, at: number): number {
  return halfToFloat((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
}

let table: Float32Array | undefined;

/** float32 of every float16 bit pattern (256 KiB, built on first use). */
export function halfTable(): Float32Array {
  if (table) return table;
  table = new Float32Array(65_536);
  for (let bits = 0; bits < 65_536; bits++) table[bits] = halfToNumber(bits);
  return table;
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
