import type { SparseActivations } from '../../engine/core/index.ts';

/** Features of tokens, strongest first: those of token t lie from `offsets[t]` to `offsets[t + 1]`. */
export interface StrongestFeatures {
  readonly offsets: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/**
 * The `limit` strongest features of each token, of equal ones those of lower indices; none of tokens that do not count. `chosen`: of
 * these features alone; null: of all.
 */
export function strongestFeatures(
  { tokens, offsets, indices, values }: SparseActivations,
  counted: readonly boolean[],
  limit: number,
  chosen: ReadonlySet<number> | null,
): StrongestFeatures {
  const places: number[] = [];
  const ends = new Uint32Array(tokens + 1);
  for (let t = 0; t < tokens; t++) {
    if (counted[t]) {
      const own: number[] = [];
      for (let at = offsets[t] as number; at < (offsets[t + 1] as number); at++) {
        if (chosen === null || chosen.has(indices[at] as number)) own.push(at);
      }
      // by ascending index so far, which a stable sort keeps among equal values
      own.sort((a, b) => (values[b] as number) - (values[a] as number));
      places.push(...own.slice(0, limit));
    }
    ends[t + 1] = places.length;
  }
  return {
    offsets: ends,
    indices: Uint32Array.from(places, (at) => indices[at] as number),
    values: Float32Array.from(places, (at) => values[at] as number),
  };
}
