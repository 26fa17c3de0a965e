import { halfAt } from '../half-float.ts';

/** Q4_0: 32 weights in 18 bytes: float16 scale d, 16 bytes; w = d·(q − 8), low nibbles first, then high ones. */
export function dequantiseQ4_0(bytes: Uint8Array, into: Float32Array): void {
  for (let block = 0, at = 0; block < into.length; block += 32, at += 18) {
    const scale = halfAt(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      into[block + i] = ((pair & 15) - 8) * scale;
      into[block + 16 + i] = ((pair >> 4) - 8) * scale;
    }
  }
}
