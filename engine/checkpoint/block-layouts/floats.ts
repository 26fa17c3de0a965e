import { halfTable } from '../half-float.ts';

/** F32: the bytes themselves. */
export function dequantiseF32(bytes: Uint8Array, into: Float32Array): void {
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
}

/** F16: IEEE 754 binary16. Bytes that begin at an even place are taken two at a time, twice as fast. */
export function dequantiseF16(bytes: Uint8Array, into: Float32Array): void {
  const half = halfTable();
  if (bytes.byteOffset % 2 === 0) {
    const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, into.length);
    for (let i = 0; i < into.length; i++) into[i] = half[bits[i]];
    return;
  }
  for (let i = 0, at = 0; i < into.length; i++, at += 2) into[i] = half[bytes[at] | (bytes[at + 1] << 8)];
}

/** BF16: the upper half of a float32. */
export function dequantiseBF16(bytes: Uint8Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0, at = 0; i < bits.length; i++, at += 2) bits[i] = (bytes[at] << 16) | (bytes[at + 1] << 24);
}
