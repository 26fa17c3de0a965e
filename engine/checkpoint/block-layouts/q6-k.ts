import { halfAt } from '../half-float.ts';

const upperBitsAt = 128;
const scalesAt = 192;
const superScaleAt = 208;

/**
 * Q6_K: 256 weights in 210 bytes: 128 bytes of lower four bits, 64 of upper two, 16 signed scales s of 16 weights each, float16 d;
 * w = (d·s)·(q − 32). Each half of a block, 128 weights in four rows of 32, has 64 bytes of lower bits (rows 0 and 1 in the low
 * nibbles, 2 and 3 in the high ones) and 32 bytes of upper bits (two bits of each row, row 0 lowest).
 */
export function dequantiseQ6_K(bytes: Uint8Array, into: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0, at = 0; block < into.length; block += 256, at += 210) {
    const d = halfAt(bytes, at + superScaleAt);
    for (let row = 0; row < 8; row++) {
      const inHalf = row & 3;
      const half = row >> 2;
      const lower = at + half * 64 + (inHalf & 1) * 32;
      const upper = at + upperBitsAt + half * 32;
      const lowerShift = (inHalf >> 1) * 4;
      const upperShift = inHalf * 2;
      for (let i = 0; i < 32; i++) {
        const quantum = ((bytes[lower + i] >> lowerShift) & 15) | (((bytes[upper + i] >> upperShift) & 3) << 4);
        into[block + row * 32 + i] = (quantum - 32) * (d * signed[at + scalesAt + row * 2 + (i >> 4)]);
      }
    }
  }
}
