/** Judgements counted against the truth. */
export interface Tally {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
  /** Without a judgement: the answer was missing or malformed. Neither right nor wrong. */
  readonly unjudged: number;
}

export const emptyTally: Tally = {
  truePositives: 0,
  falsePositives: 0,
  trueNegatives: 0,
  falseNegatives: 0,
  unjudged: 0,
};

/** Adds the judgements of some trials; null: there were none. */
export function tally(before: Tally, truths: readonly boolean[], judged: readonly boolean[] | null): Tally {
  if (judged === null) return { ...before, unjudged: before.unjudged + truths.length };
  const count = (truth: boolean, verdict: boolean) =>
    truths.filter((is, i) => is === truth && judged[i] === verdict).length;
  return {
    truePositives: before.truePositives + count(true, true),
    falsePositives: before.falsePositives + count(false, true),
    trueNegatives: before.trueNegatives + count(false, false),
    falseNegatives: before.falseNegatives + count(true, false),
    unjudged: before.unjudged,
  };
}

export function judgements({ truePositives, falsePositives, trueNegatives, falseNegatives }: Tally): number {
  return truePositives + falsePositives + trueNegatives + falseNegatives;
}

/** The mean of the shares of right judgements of both kinds: 0.5 is guessing. Null where a kind has no judgement. */
export function balancedAccuracy(counts: Tally): number | null {
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = counts;
  const [positives, negatives] = [truePositives + falseNegatives, trueNegatives + falsePositives];
  return positives === 0 || negatives === 0 ? null : (truePositives / positives + trueNegatives / negatives) / 2;
}

/** Harmonic mean of precision and recall. Null where nothing fires and nothing was said to. */
export function f1({ truePositives, falsePositives, falseNegatives }: Tally): number | null {
  const of = 2 * truePositives + falsePositives + falseNegatives;
  return of === 0 ? null : (2 * truePositives) / of;
}
