import { dequantiseGroups } from './k-groups.ts';

/** Q4_K: 256 weights in 144 bytes: float16 d and dmin, 12 bytes of scales and minima of groups of 32, 128 bytes (k-groups.ts). */
export function dequantiseQ4_K(bytes: Uint8Array, into: Float32Array): void {
  dequantiseGroups({ bytes: 144, fifthBitsAt: null, quantsAt: 16 }, bytes, into);
}
