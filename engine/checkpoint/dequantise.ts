import { dequantiseBF16, dequantiseF16, dequantiseF32 } from './block-layouts/floats.ts';
import { dequantiseQ4_0 } from './block-layouts/q4-0.ts';
import { dequantiseQ4_1 } from './block-layouts/q4-1.ts';
import { dequantiseQ4_K } from './block-layouts/q4-k.ts';
import { dequantiseQ5_0 } from './block-layouts/q5-0.ts';
import { dequantiseQ5_1 } from './block-layouts/q5-1.ts';
import { dequantiseQ5_K } from './block-layouts/q5-k.ts';
import { dequantiseQ6_K } from './block-layouts/q6-k.ts';
import { dequantiseQ8_0 } from './block-layouts/q8-0.ts';
import type { TensorType } from './tensor.ts';

const layouts: Readonly<Record<TensorType, (bytes: Uint8Array, into: Float32Array) => void>> = {
  F32: dequantiseF32,
  F16: dequantiseF16,
  BF16: dequantiseBF16,
  Q4_0: dequantiseQ4_0,
  Q4_1: dequantiseQ4_1,
  Q5_0: dequantiseQ5_0,
  Q5_1: dequantiseQ5_1,
  Q8_0: dequantiseQ8_0,
  Q4_K: dequantiseQ4_K,
  Q5_K: dequantiseQ5_K,
  Q6_K: dequantiseQ6_K,
};

/**
 * Turns consecutive blocks into float32. `bytes` holds exactly the blocks of `into.length` elements. The results equal ggml's
 * `dequantize_row_*` (ggml-quants.c) and the gguf package's `dequantize` bit for bit: what they compute in float32 before their last
 * operation is exact (float16 times small integers, 25 bits at the most), so one rounding, on the store, is theirs too.
 */
export function dequantise(type: TensorType, bytes: Uint8Array, into: Float32Array): void {
  layouts[type](bytes, into);
}
