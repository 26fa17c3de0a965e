import { halfAt } from '../half-float.ts';
import { sixBitMinimum, sixBitScale } from './six-bit-scales.ts';

const scalesAt = 4;
const quantsAt = 16;

/**
 * Q4_K: 256 weights in 144 bytes: float16 d and dmin, 12 bytes of scales s and minima m of groups of 32 (six-bit-scales.ts), 128 bytes;
 * w = (d·s)·q − dmin·m. Each 32 bytes hold one group in their low nibbles and the next in their high ones.
 */
export function dequantiseQ4_K(bytes: Uint8Array, into: Float32Array): void {
  for (let block = 0, at = 0; block < into.length; block += 256, at += 144) {
    const d = halfAt(bytes, at);
    const dMinimum = halfAt(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const scale = d * sixBitScale(bytes, at + scalesAt, group);
      const minimum = dMinimum * sixBitMinimum(bytes, at + scalesAt, group);
      const quants = at + quantsAt + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      const to = block + group * 32;
      for (let i = 0; i < 32; i++) into[to + i] = ((bytes[quants + i] >> shift) & 15) * scale - minimum;
    }
  }
}
