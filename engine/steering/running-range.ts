/** Extremes and mean of numbers. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** Gathers numbers one by one; its size does not grow with them. */
export interface RunningRange {
  add(value: number): void;
  count(): number;
  /** Null where there were none. */
  range(): Range | null;
}

/** A range with nothing in it yet. */
export function runningRange(): RunningRange {
  let count = 0;
  let total = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  return {
    add(value) {
      count++;
      total += value;
      min = Math.min(min, value);
      max = Math.max(max, value);
    },
    count: () => count,
    range: () => (count === 0 ? null : { min, max, mean: total / count }),
  };
}
