/** What a score asks about. */
export const scoreMethods = ['detection', 'fuzzing'] as const;
/**
 * `detection`: does a passage make the feature fire? `fuzzing`: are the marked tokens those on which it fires? Both in the manner of
 * delphi and SAEBench.
 */
export type ScoreMethod = (typeof scoreMethods)[number];

/** One thing to judge by a label, and what is right. */
export interface Trial {
  /** On one line. */
  readonly text: string;
  /** Whether the feature fires in it, or where it is marked. */
  readonly truth: boolean;
  /** Where it is from: the feature's own passages, or those of other features, at random or neighbouring. */
  readonly kind: 'own' | 'random' | 'hard' | 'wrong_marks';
}

/** Trials in the order and the groups in which they are judged. */
export function batches(trials: readonly Trial[], size: number): Trial[][] {
  return Array.from({ length: Math.ceil(trials.length / size) }, (_, i) => trials.slice(i * size, (i + 1) * size));
}
