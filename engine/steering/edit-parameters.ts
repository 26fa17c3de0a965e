import type { Edit } from '../core/edit.ts';

/** The numbers of an edit that a graph reads, each from a port of its own: the contract with the graph's edit port. */
export const editParameterNames = [
  'bias',
  'threshold',
  'beta',
  'gamma',
  'low',
  'high',
  'activeAbove',
  'sinkNorm',
] as const;
export type EditParameter = (typeof editParameterNames)[number];

/** Stands for infinity in a graph, where 0 · ∞ would be NaN. */
export const largestFinite = 3.0e38;

/** What a graph reads of one edit, infinities as ±3e38. Throws a RangeError for NaN. */
export function editParameters(edit: Edit): Readonly<Record<EditParameter, number>> {
  const { read, coefficient } = edit;
  return {
    bias: finite(read?.bias ?? 0),
    threshold: finite(read?.threshold ?? 0),
    beta: finite(coefficient.beta),
    gamma: finite(coefficient.gamma),
    low: finite(coefficient.low),
    high: finite(coefficient.high),
    activeAbove: finite(edit.activeAbove),
    sinkNorm: finite(edit.sinkNorm),
  };
}

/** As float32, ±∞ as ±3e38. NaN has no place in an edit. */
function finite(value: number): number {
  if (Number.isNaN(value)) throw new RangeError('an edit with a value that is not a number');
  return Math.fround(Math.max(-largestFinite, Math.min(largestFinite, value)));
}
