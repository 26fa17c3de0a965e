import { halfAt } from '../half-float.ts';

/** Q4_1: 32 weights in 20 bytes: float16 scale d, float16 minimum m, 16 bytes; w = d·q + m, low nibbles first, then high ones. */
export function dequantiseQ4_1(bytes: Uint8Array, into: Float32Array): void {
  for (let block = 0, at = 0; block < into.length; block += 32, at += 20) {
    const scale = halfAt(bytes, at);
    const minimum = halfAt(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      into[block + i] = (pair & 15) * scale + minimum;
      into[block + 16 + i] = (pair >> 4) * scale + minimum;
    }
  }
}
