import { halfAt } from '../half-float.ts';

/**
 * Q5_0: 32 weights in 22 bytes: float16 scale d, 4 bytes whose bit i is the fifth bit of weight i, 16 bytes with the lower four as in
 * Q4_0; w = d·(q − 16).
 */
export function dequantiseQ5_0(bytes: Uint8Array, into: Float32Array): void {
  for (let block = 0, at = 0; block < into.length; block += 32, at += 22) {
    const scale = halfAt(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i];
      const lowFifth = (bytes[at + 2 + (i >> 3)] >> (i & 7)) & 1;
      const highFifth = (bytes[at + 4 + (i >> 3)] >> (i & 7)) & 1;
      into[block + i] = (((pair & 15) | (lowFifth << 4)) - 16) * scale;
      into[block + 16 + i] = (((pair >> 4) | (highFifth << 4)) - 16) * scale;
    }
  }
}
