import { halfAt } from '../half-float.ts';
import { sixBitMinimum, sixBitScale } from './six-bit-scales.ts';

const scalesAt = 4;
const fifthBitsAt = 16;
const quantsAt = 48;

/**
 * Q5_K: 256 weights in 176 bytes: Q4_K with 32 bytes more before the quants, whose byte i holds the fifth bit of weight i of each of the
 * eight groups, group g in bit g; w = (d·s)·q − dmin·m.
 */
export function dequantiseQ5_K(bytes: Uint8Array, into: Float32Array): void {
  for (let block = 0, at = 0; block < into.length; block += 256, at += 176) {
    const d = halfAt(bytes, at);
    const dMinimum = halfAt(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const scale = d * sixBitScale(bytes, at + scalesAt, group);
      const minimum = dMinimum * sixBitMinimum(bytes, at + scalesAt, group);
      const quants = at + quantsAt + (group >> 1) * 32;
      const fifths = at + fifthBitsAt;
      const shift = (group & 1) * 4;
      const to = block + group * 32;
      for (let i = 0; i < 32; i++) {
        const quantum = ((bytes[quants + i] >> shift) & 15) | (((bytes[fifths + i] >> group) & 1) << 4);
        into[to + i] = quantum * scale - minimum;
      }
    }
  }
}
