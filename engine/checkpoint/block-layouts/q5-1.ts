import { halfAt } from '../half-float.ts';

/**
 * Q5_1: 32 weights in 24 bytes: float16 scale d, float16 minimum m, 4 bytes whose bit i is the fifth bit of weight i, 16 bytes with the
 * lower four as in Q4_1; w = d·q + m.
 */
export function dequantiseQ5_1(bytes: Uint8Array, into: Float32Array): void {
  for (let block = 0, at = 0; block < into.length; block += 32, at += 24) {
    const scale = halfAt(bytes, at);
    const minimum = halfAt(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i];
      const lowFifth = (bytes[at + 4 + (i >> 3)] >> (i & 7)) & 1;
      const highFifth = (bytes[at + 6 + (i >> 3)] >> (i & 7)) & 1;
      into[block + i] = ((pair & 15) | (lowFifth << 4)) * scale + minimum;
      into[block + 16 + i] = ((pair >> 4) | (highFifth << 4)) * scale + minimum;
    }
  }
}
