import type { TensorType } from './tensor.ts';

/**
 * Turns consecutive blocks into float32. `bytes` holds exactly the blocks of `into.length` elements. The results equal ggml's
 * `dequantize_row_*` (ggml-quants.c) and the gguf package's `dequantize` bit for bit: every product of a scale and a quantum is exact
 * in double precision and is rounded once, on the store.
 */
export function dequantise(type: TensorType, bytes: Uint8Array, into: Float32Array): void {
  switch (type) {
    case 'F32':
      new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
      return;
    case 'F16':
      float16(bytes, into);
      return;
    case 'BF16':
      bfloat16(bytes, into);
      return;
    case 'Q4_1':
      q4_1(bytes, into);
      return;
    case 'Q8_0':
      q8_0(bytes, into);
      return;
  }
}

function float16(bytes: Uint8Array, into: Float32Array): void {
  const half = halfTable();
  for (let i = 0, at = 0; i < into.length; i++, at += 2) into[i] = half[bytes[at] | (bytes[at + 1] << 8)];
}

/** A bfloat16 is the upper half of a float32. */
function bfloat16(bytes: Uint8Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0, at = 0; i < bits.length; i++, at += 2) bits[i] = (bytes[at] << 16) | (bytes[at + 1] << 24);
}

/** Blocks of 32: float16 scale d, float16 minimum m, 16 bytes; x = d·q + m, low nibbles first, then high ones. */
function q4_1(bytes: Uint8Array, into: Float32Array): void {
  const half = halfTable();
  for (let block = 0, at = 0; block < into.length; block += 32, at += 20) {
    const scale = half[bytes[at] | (bytes[at + 1] << 8)];
    const minimum = half[bytes[at + 2] | (bytes[at + 3] << 8)];
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      into[block + i] = (pair & 15) * scale + minimum;
      into[block + 16 + i] = (pair >> 4) * scale + minimum;
    }
  }
}

/** Blocks of 32: float16 scale d, 32 signed bytes; x = d·q. */
function q8_0(bytes: Uint8Array, into: Float32Array): void {
  const half = halfTable();
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0, at = 0; block < into.length; block += 32, at += 34) {
    const scale = half[bytes[at] | (bytes[at + 1] << 8)];
    for (let i = 0; i < 32; i++) into[block + i] = signed[at + 2 + i] * scale;
  }
}

/** The number a float16 bit pattern stands for. */
export function halfToFloat(bits: number): number {
  return halfTable()[bits] as number;
}

let table: Float32Array | undefined;

/** float32 of every float16 bit pattern (256 KiB, built on first use). */
function halfTable(): Float32Array {
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
