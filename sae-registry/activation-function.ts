import { TillerError } from '../engine/core/index.ts';
import type { ActivationFunction } from './dictionary-weights.ts';

/** Activations of one token from its sums p, [features]. */
export function activate(activation: ActivationFunction, sums: Float64Array): Float32Array {
  switch (activation.kind) {
    case 'relu':
      return Float32Array.from(sums, (p) => Math.max(p, 0));
    case 'jumprelu':
      return Float32Array.from(sums, (p, i) => (p > thresholdOf(activation, i) ? p : 0));
    case 'topk':
      return topK(sums, activation.k, activation.rectified);
    case 'groupmax':
      return groupMax(sums, activation.groups);
  }
}

/** What a sum has to exceed for its feature to be active, where that is a matter of the feature alone: ReLU and JumpReLU. */
export function thresholdOf(activation: ActivationFunction, index: number): number {
  return activation.kind === 'jumprelu' ? Math.max(0, activation.thresholds[index]) : 0;
}

/** Where several sums equal the k-th largest, those of lower indices are taken. */
function topK(sums: Float64Array, k: number, rectified: boolean): Float32Array {
  const least = sums.toSorted()[sums.length - k];
  let ties = k - sums.reduce((count, p) => count + Number(p > least), 0);
  return Float32Array.from(sums, (p) => {
    if (p < least || (p === least && ties-- <= 0)) return 0;
    return rectified ? Math.max(p, 0) : p;
  });
}

function groupMax(sums: Float64Array, groups: number): Float32Array {
  const size = sums.length / groups;
  if (!Number.isInteger(size)) throw new TillerError('internal', `${sums.length} features in ${groups} groups`);
  const activations = new Float32Array(sums.length);
  for (let start = 0; start < sums.length; start += size) {
    let best = start;
    for (let i = start; i < start + size; i++) if (sums[i] > sums[best]) best = i;
    activations[best] = Math.max(sums[best], 0);
  }
  return activations;
}
