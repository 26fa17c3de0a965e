import type { Edit, RowStep } from '../../engine/core/index.ts';

/** Where the steering scenario edits: the middle of SmolLM2-135M, and one place whatever the number of edits. */
export const editedHookPoint = 'blocks.15.hook_resid_post';

/**
 * Edits like those of features set to a value: each reads the stream, clips, and writes. Directions are random unit vectors; what they
 * say does not change what they cost.
 */
export function benchmarkEdits(count: number, dModel: number): RowStep['edits'] {
  const mask = Float32Array.of(1);
  return Array.from({ length: count }, (_, index) => {
    const edit: Edit = {
      hookPoint: editedHookPoint,
      read: { direction: unitVector(dModel, 2 * index + 1), bias: 0, threshold: 0 },
      coefficient: { beta: 1, gamma: -1, low: -Infinity, high: Infinity },
      write: unitVector(dModel, 2 * index + 2),
      positions: 'all',
      skipSpecial: false,
      activeAbove: -Infinity,
      sinkNorm: Infinity,
    };
    return { edit, mask };
  });
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
