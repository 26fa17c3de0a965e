import type { Encoder } from '../core/index.ts';
import { CopyPace } from './copy-pace.ts';

/** Outputs of a strip of weights (engine/kernels/encode.cpp). */
export const stripOutputs = 32;

/** What an encoder's weights are kept as: the smallest that holds every one of them exactly. */
export type NumberForm = 'float32' | 'float16' | 'bfloat16';

/** As the operator numbers them. */
export const formNumbers: Readonly<Record<NumberForm, number>> = { float32: 0, float16: 1, bfloat16: 2 };
export const formBytes: Readonly<Record<NumberForm, number>> = { float32: 4, float16: 2, bfloat16: 2 };

/** The smallest form that holds an encoder's rows exactly; looks at them all, and lets the event loop turn. */
export async function exactForm(encoder: Encoder): Promise<NumberForm> {
  const pace = new CopyPace();
  let [bfloat, half] = [true, true];
  for (let first = 0; first < encoder.outputs && (bfloat || half); ) {
    const count = piece(encoder, first);
    const rows = encoder.rows(first, count);
    const bits = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
    for (let at = 0; at < bits.length && bfloat; at++) bfloat = ((bits[at] as number) & 0xffff) === 0;
    for (let at = 0; at < bits.length && half; at++) half = isHalf(bits[at] as number);
    first += count;
    if (pace.isDue(rows.byteLength)) await pace.turn();
  }
  if (bfloat) return 'bfloat16';
  return half ? 'float16' : 'float32';
}

/** How many rows to ask for at a time: what the encoder prefers, but no more than the event loop can bear. */
export function piece({ piece: best, outputs, width }: Encoder, first: number): number {
  const bearable = Math.max(stripOutputs, Math.floor((1 << 19) / width / stripOutputs) * stripOutputs);
  return Math.min(outputs - first, bearable, Math.max(stripOutputs, Math.floor(best / stripOutputs) * stripOutputs));
}

/** Whether IEEE half precision has the number exactly: 11 bits of significand, down to 2^-24. */
function isHalf(bits: number): boolean {
  const exponent = (bits >>> 23) & 0xff;
  if (exponent === 0) return (bits & 0x7fffffff) === 0;
  if (exponent > 127 + 15 || exponent < 127 - 24) return false;
  const lost = exponent >= 127 - 14 ? 13 : 13 + (127 - 14 - exponent);
  const significand = (bits & 0x7fffff) | 0x800000;
  return (significand & ((1 << lost) - 1)) === 0;
}

/** A number that half precision has, as its bits. */
export function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  if (exponent === 0) return sign;
  if (exponent >= 127 - 14) return sign | ((exponent - 112) << 10) | ((bits >>> 13) & 0x3ff);
  return sign | (((bits & 0x7fffff) | 0x800000) >>> (13 + (127 - 14 - exponent)));
}
