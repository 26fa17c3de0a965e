/**
 * An edit in the engine's own terms: dense float32 directions and raw coefficients, nothing left to look up.
 *
 *     a = x·read.direction + read.bias                  read
 *     f = a if a > read.threshold else 0                activation
 *     u = clip(beta + gamma·f, low, high)               coefficient
 *     x' = x + g·u·write                                write
 *
 * (docs/steering.md; engine/steering/reference.ts is its plain form.)
 */
export interface Edit {
  /** Canonical hook point (core/hook-point.ts `canonicalHookPoint`, formatted). */
  readonly hookPoint: string;
  /** Null: nothing is read (mode add without `only_if_active`). */
  readonly read: { readonly direction: Float32Array; readonly bias: number; readonly threshold: number } | null;
  readonly coefficient: { readonly beta: number; readonly gamma: number; readonly low: number; readonly high: number };
  /** Write direction, d_model floats. */
  readonly write: Float32Array;
  readonly positions: Positions;
  /** Leave the chat template's own tokens alone. */
  readonly skipSpecial: boolean;
  /** Write only where a > this; −∞ where the edit is unconditional. A feature's threshold for `only_if_active`. */
  readonly activeAbove: number;
  /** Leave tokens alone whose stream norm exceeds this (attention sinks); +∞ where that does not apply. */
  readonly sinkNorm: number;
  /** Only its reading is wanted, and nothing is written (steering/probe-edit.ts). Left out: it is an edit. */
  readonly probe?: true;
}

/** Which tokens an edit touches. Indices are positions of input tokens; `from`/`to` half open, in prompt tokens. */
export type Positions =
  | 'all_but_first'
  | 'all'
  | 'prompt'
  | 'generated'
  | 'assistant'
  | 'last'
  | { readonly from: number; readonly to: number };

/** What positions are decided from: facts of the request that never change while it runs. */
export interface PositionContext {
  readonly promptLength: number;
  /** Half-open ranges of positions that predict an assistant token of an earlier message. */
  readonly assistantRanges: readonly (readonly [number, number])[];
  /** For each prompt position, 1 where the token belongs to the chat template and not to anyone's words. */
  readonly promptIsSpecial: Uint8Array;
  /** Token ids that are special wherever they stand (for generated tokens). */
  readonly specialTokenIds: ReadonlySet<number>;
}
