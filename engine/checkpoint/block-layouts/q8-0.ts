import { halfAt } from '../half-float.ts';

/** Q8_0: 32 weights in 34 bytes: float16 scale d, 32 signed bytes; w = d·q. */
export function dequantiseQ8_0(bytes: Uint8Array, into: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0, at = 0; block < into.length; block += 32, at += 34) {
    const scale = halfAt(bytes, at);
    for (let i = 0; i < 32; i++) into[block + i] = signed[at + 2 + i] * scale;
  }
}
