import { dequantiseGroups } from './k-groups.ts';

/** Q5_K: 256 weights in 176 bytes: Q4_K with 32 bytes of fifth bits before the quants (k-groups.ts). */
export function dequantiseQ5_K(bytes: Uint8Array, into: Float32Array): void {
  dequantiseGroups({ bytes: 176, fifthBitsAt: 16, quantsAt: 48 }, bytes, into);
}
