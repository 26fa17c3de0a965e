/** Whether a hook point is as wide as there are keys: attention's scores and pattern. */
export const showsKeys = (hookPoint: string) => /hook_(attn_scores|pattern)$/.test(hookPoint);

/** Attention's scores and patterns of the steps of one row, [heads, tokens, keys so far], as one array [heads, tokens, keys] each. */
export class PatternPieces {
  readonly whole = new Map<string, Float32Array>();
  private readonly length: number;

  /** `length`: tokens of the row, all steps together. */
  constructor(length: number) {
    this.length = length;
  }

  /** Adds what a step gave for `count` tokens from position `start` on; keys that came later are hidden from them. */
  add(hookPoint: string, values: Float32Array, start: number, count: number): void {
    const { length } = this;
    const keys = start + count;
    const heads = values.length / count / keys;
    if (!Number.isInteger(heads)) throw new Error(`${values.length} numbers are no pattern of ${count} × ${keys}`);
    const hidden = hookPoint.endsWith('hook_pattern') ? 0 : Number.NEGATIVE_INFINITY;
    const whole = this.whole.get(hookPoint) ?? new Float32Array(heads * length * length).fill(hidden);
    for (let row = 0; row < heads * count; row++) {
      const place = Math.floor(row / count) * length + start + (row % count);
      whole.set(values.subarray(row * keys, (row + 1) * keys), place * length);
    }
    this.whole.set(hookPoint, whole);
  }
}
