import type { Edit } from '../core/edit.ts';
import { type ArrayReading, arrayReading, zeroReadingValues } from '../core/edit-reading.ts';
import { dot, norm } from './linear-algebra.ts';

/** An edit with its positions mask over the tokens at hand (1 = touch). */
export interface MaskedEdit {
  readonly edit: Edit;
  readonly mask: Float32Array;
}

/**
 * The steering arithmetic at one hook point, in float64 over plain arrays: the truth that every graph form is tested
 * against. For token t with stream x (before any edit at this hook point) and edit k:
 *
 *     a_k = x·e_k + c_k                                 read (0 where nothing is read)
 *     f_k = a_k if a_k > θ_k else 0                     activation
 *     u_k = min(max(β_k + γ_k·f_k, lo_k), hi_k)         coefficient
 *     g_k = mask_k(t) · [a_k > active_k] · [‖x‖ ≤ sink_k]
 *     x'  = x + Σ_k g_k·u_k·d_k                         write
 *
 * All edits read x as it was before any of them.
 *
 * @param stream [tokens, dModel], row major; not changed.
 * @returns the edited stream (same shape, rounded to float32) and one reading for each edit, in order.
 */
export function applyEdits(
  stream: Float32Array,
  tokens: number,
  dModel: number,
  edits: readonly MaskedEdit[],
): { stream: Float32Array; readings: ArrayReading[] } {
  const out = new Float32Array(stream.length);
  const readings = edits.map(() => arrayReading(zeroReadingValues(tokens)));
  for (let t = 0; t < tokens; t++) {
    const before = stream.subarray(t * dModel, (t + 1) * dModel);
    const after = Float64Array.from(before);
    const streamNorm = norm(before);
    edits.forEach(({ edit, mask }, k) => {
      const { values: reading } = readings[k] as ArrayReading;
      const a = readAt(edit, before);
      const u = coefficientOf(edit, a);
      const calm = streamNorm <= edit.sinkNorm;
      const wanted = mask[t] as number;
      const gate = calm && a > edit.activeAbove ? wanted : 0;
      reading.gate[t] = gate;
      reading.sink[t] = calm ? 0 : wanted;
      reading.coefficient[t] = u;
      reading.readingBefore[t] = a;
      reading.streamNorm[t] = streamNorm;
      if (gate === 0) return;
      for (let i = 0; i < dModel; i++) after[i] = (after[i] as number) + gate * u * (edit.write[i] as number);
    });
    edits.forEach(({ edit }, k) => {
      (readings[k] as ArrayReading).values.readingAfter[t] = readAt(edit, after);
    });
    out.set(after, t * dModel);
  }
  return { stream: out, readings };
}

/** a: what the edit reads of a stream; 0 where it reads nothing. */
function readAt(edit: Edit, x: Float32Array | Float64Array): number {
  return edit.read === null ? 0 : dot(x, edit.read.direction) + edit.read.bias;
}

/** u from a. */
function coefficientOf(edit: Edit, a: number): number {
  const { beta, gamma, low, high } = edit.coefficient;
  const f = edit.read !== null && a > edit.read.threshold ? a : 0;
  return Math.min(Math.max(beta + gamma * f, low), high);
}
