import type { Edit } from '../core/edit.ts';
import type { Probe } from '../core/rule.ts';

/** A probe as the edit that a graph reads by: it writes nothing, wherever it is applied. */
export function probeEdit({ hookPoint, direction, bias, threshold, sinkNorm }: Probe): Edit {
  return {
    hookPoint,
    read: { direction, bias, threshold },
    coefficient: { beta: 0, gamma: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
    write: new Float32Array(direction.length),
    // which tokens it reads is said by what its conditions want (conditions.ts `probeWants`)
    positions: 'all',
    skipSpecial: false,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm,
    probe: true,
  };
}
