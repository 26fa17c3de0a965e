import type { Edit } from '../../engine/core/index.ts';

/**
 * What an edit costs depends on whether it reads: `add` writes a direction, `set` reads the stream, clips, and writes. Both are scaled to zero:
 * the whole machinery runs and the texts stay as they are, so that only the machinery is measured (EasySteer's method).
 */
export type EditKind = 'add' | 'set';

/** An edit at `hookPoint` that leaves the stream as it is. Directions are random unit vectors that depend on the seed alone. */
export function idleEdit(kind: EditKind, hookPoint: string, dModel: number, seed: number): Edit {
  const read = kind === 'set' ? { direction: unitVector(dModel, 2 * seed + 1), bias: 0, threshold: 0 } : null;
  // `set` asks for 1 where the activation is not, and is held to a range of nothing
  const coefficient =
    kind === 'set' ? { beta: 1, gamma: -1, low: 0, high: 0 } : { beta: 0, gamma: 0, low: -Infinity, high: Infinity };
  return {
    hookPoint,
    read,
    coefficient,
    write: unitVector(dModel, 2 * seed + 2),
    positions: 'generated',
    skipSpecial: false,
    activeAbove: -Infinity,
    sinkNorm: Infinity,
  };
}

/** Deterministic: a linear congruential sequence, normalised. */
function unitVector(size: number, seed: number): Float32Array {
  let state = seed * 2654435761;
  const vector = new Float32Array(size).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
