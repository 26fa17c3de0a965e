import type { SparseActivations } from '../../../engine/core/index.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

/** Tokens with what fires on each: features in pairs, the second of each pair mostly where the first one is; others at random. */
export function randomFirings(tokens: number, features: number, seed = 3): Uint32Array[] {
  const random = randomNumbers(seed);
  const chance = (share: number) => random() + 0.5 < share;
  return Array.from({ length: tokens }, () => {
    const fired = new Set<number>();
    for (let j = 0; j < features; j += 2) {
      if (!chance(0.5 / (1 + j / 2))) continue;
      fired.add(j);
      if (chance(0.8)) fired.add(j + 1);
    }
    for (let j = 1; j < features; j += 3) if (chance(0.05)) fired.add(j);
    return Uint32Array.from([...fired].filter((j) => j < features).sort((a, b) => a - b));
  });
}

/** The same as a text that an encoder has read: every activation 1 but where `value` says otherwise, a first token before them. */
export function asActivations(
  firings: readonly Uint32Array[],
  value: (token: number, feature: number) => number = () => 1,
): SparseActivations {
  const rows = [new Uint32Array(), ...firings];
  const offsets = new Uint32Array(rows.length + 1);
  rows.forEach((row, t) => {
    offsets[t + 1] = (offsets[t] as number) + row.length;
  });
  return {
    tokens: rows.length,
    offsets,
    indices: Uint32Array.from(rows.flatMap((row) => [...row])),
    values: Float32Array.from(rows.flatMap((row, t) => Array.from(row, (j) => value(t - 1, j)))),
    active: Uint32Array.from(rows, (row) => row.length),
    norms: new Float32Array(rows.length).fill(1),
  };
}

/** How often `a` of one reading and `b` of the other fire, and both do, the plain way. */
export function plainCounts(one: readonly Uint32Array[], other: readonly Uint32Array[], a: number, b: number) {
  const firesA = one.map((row) => row.includes(a));
  const firesB = other.map((row) => row.includes(b));
  const count = (of: readonly boolean[]) => of.filter(Boolean).length;
  return { a: count(firesA), b: count(firesB), both: count(firesA.map((fires, t) => fires && (firesB[t] ?? false))) };
}
