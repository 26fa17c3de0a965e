import { halfAt } from '../half-float.ts';
import { sixBitMinimum, sixBitScale } from './six-bit-scales.ts';

/** Where the parts of a block of 256 weights lie that Q4_K and Q5_K have in common; byte offsets in the block. */
export interface GroupedBlock {
  readonly bytes: number;
  /** 32 bytes whose byte i holds the fifth bit of weight i of each of the eight groups, group g in bit g; null without. */
  readonly fifthBitsAt: number | null;
  /** 128 bytes: each 32 hold one group in their low nibbles and the next in their high ones. */
  readonly quantsAt: number;
}

const scalesAt = 4;

/** float16 d and dmin, then the scales s and minima m of eight groups of 32 (six-bit-scales.ts); w = (d·s)·q − dmin·m. */
export function dequantiseGroups(
  { bytes: blockBytes, fifthBitsAt, quantsAt }: GroupedBlock,
  bytes: Uint8Array,
  into: Float32Array,
): void {
  for (let block = 0, at = 0; block < into.length; block += 256, at += blockBytes) {
    const d = halfAt(bytes, at);
    const dMinimum = halfAt(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const scale = d * sixBitScale(bytes, at + scalesAt, group);
      const minimum = dMinimum * sixBitMinimum(bytes, at + scalesAt, group);
      const quants = at + quantsAt + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      const to = block + group * 32;
      for (let i = 0; i < 32; i++) {
        const fifth = fifthBitsAt === null ? 0 : ((bytes[at + fifthBitsAt + i] >> group) & 1) << 4;
        into[to + i] = (((bytes[quants + i] >> shift) & 15) | fifth) * scale - minimum;
      }
    }
  }
}
