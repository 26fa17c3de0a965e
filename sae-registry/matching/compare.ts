import { TillerError } from '../../engine/core/index.ts';
import type { Dictionary } from '../dictionary.ts';
import { decoderDirections } from '../relations/feature-directions.ts';
import type { Pace } from '../relations/pace.ts';
import { cosineMatrix, type PairValues, unitVectors } from './cosine-matrix.ts';
import { greedyMatching, type Matching } from './greedy.ts';
import { optimalMatching } from './optimal.ts';

/** At or above these similarities a pair counts as the same feature found twice. */
export const matchThresholds = [0.5, 0.7, 0.9] as const;
/** A feature that is found again has a pair at least so good; what is less may be split or absorbed. */
const found = 0.7;
/** Parts of a split feature, and what an absorbed one has in common with what absorbed it. */
const related = 0.4;
/** Pairs are held in memory: a gibibyte. */
const mostPairs = 2 ** 28;
/** Candidates that are listed, best first; all are counted. */
const listed = 50;

export interface Pair {
  readonly a: number;
  readonly b: number;
  /** Cosine of their decoder vectors, or correlation of their activations. */
  readonly similarity: number;
}

/** What one way of pairing found. Pairs are one to one. */
export interface MatchingReport {
  readonly meanSimilarity: number;
  readonly medianSimilarity: number;
  /** For each threshold, pairs at or above it, and their share of A's and of B's features. */
  readonly found: readonly {
    readonly threshold: number;
    readonly pairs: number;
    readonly shareOfA: number;
    readonly shareOfB: number;
  }[];
}

/** A feature of one dictionary that several of the other have as their nearest. */
export interface SplitCandidate {
  readonly feature: number;
  readonly parts: readonly { readonly feature: number; readonly similarity: number }[];
}

/** A feature without a pair of its own, whose nearest is the pair of another. */
export interface AbsorbedCandidate {
  readonly feature: number;
  /** Its nearest in the other dictionary, and the feature of its own that this one is paired with. */
  readonly into: number;
  readonly similarity: number;
  readonly pairedWith: number;
  readonly pairSimilarity: number;
}

export interface Candidates<T> {
  readonly count: number;
  readonly best: readonly T[];
}

export interface Comparison {
  readonly by: 'decoder' | 'activation';
  readonly featuresOfA: number;
  readonly featuresOfB: number;
  /** Features that were compared: all, or by activation those that fire on enough tokens. Shares are shares of these. */
  readonly comparedOfA: number;
  readonly comparedOfB: number;
  /** By activation: over how many tokens; null else. */
  readonly tokens: number | null;
  /** Mean similarity of the optimal matching: 1 where both found the same. */
  readonly stability: number;
  readonly greedy: MatchingReport;
  readonly optimal: MatchingReport;
  /** Of the optimal matching, best first. */
  readonly pairs: readonly Pair[];
  /** Features of A that several of B have as their nearest, and of B that several of A have. */
  readonly splitInB: Candidates<SplitCandidate>;
  readonly splitInA: Candidates<SplitCandidate>;
  readonly absorbedInB: Candidates<AbsorbedCandidate>;
  readonly absorbedInA: Candidates<AbsorbedCandidate>;
}

export interface CompareOptions {
  readonly pace: Pace | null;
  readonly progress?: (stage: 'cosines' | 'reading' | 'matching', done: number, total: number | null) => void;
}

/** Compares two dictionaries by the cosines of their decoder vectors. Throws `invalid_request` for other widths, or too many features. */
export async function compareDictionaries(a: Dictionary, b: Dictionary, options: CompareOptions): Promise<Comparison> {
  if (a.dOut !== b.dOut) {
    throw new TillerError(
      'invalid_request',
      `One dictionary writes ${a.dOut} numbers, the other ${b.dOut}: they have no directions in common.`,
      { param: 'b' },
    );
  }
  if (a.features * b.features > mostPairs) {
    throw new TillerError(
      'unsupported',
      `${a.features} × ${b.features} features are more than ${mostPairs} pairs, which are held in memory. Compare smaller dictionaries.`,
      { param: 'b' },
    );
  }
  const { pace, progress } = options;
  const [unitsA, unitsB] = [
    await unitVectors(decoderDirections(a), pace),
    await unitVectors(decoderDirections(b), pace),
  ];
  const cosines = await cosineMatrix(unitsA, unitsB, a.dOut, {
    pace,
    progress: (rows) => progress?.('cosines', rows, a.features),
  });
  return {
    ...(await comparePairs(cosines, options)),
    by: 'decoder',
    featuresOfA: a.features,
    featuresOfB: b.features,
    tokens: null,
  };
}

/** What both ways of pairing make of the similarities of all pairs; features are rows and columns. */
export async function comparePairs(
  pairValues: PairValues,
  { pace, progress }: CompareOptions,
): Promise<Omit<Comparison, 'by' | 'featuresOfA' | 'featuresOfB' | 'tokens'>> {
  const rows = Math.min(pairValues.rows, pairValues.columns);
  const greedy = await greedyMatching(pairValues, pace);
  const optimal = await optimalMatching(pairValues, { pace, progress: (done) => progress?.('matching', done, rows) });
  return report(pairValues, greedy, optimal);
}

/** The figures of both matchings over the similarities. */
function report(pairValues: PairValues, greedy: Matching, optimal: Matching): Awaited<ReturnType<typeof comparePairs>> {
  const { rows, columns } = pairValues;
  const pairs = pairsOf(pairValues, optimal);
  const rowOf: Matching = new Int32Array(columns).fill(-1);
  for (const { a, b } of pairs) rowOf[b] = a;
  const optimalReport = matchingReport(pairs, rows, columns);
  const similarity = (a: number, b: number) => pairValues.values[a * columns + b];
  const turned = (b: number, a: number) => similarity(a, b);
  const [nearestInB, nearestInA] = nearest(pairValues);
  return {
    comparedOfA: rows,
    comparedOfB: columns,
    stability: optimalReport.meanSimilarity,
    greedy: matchingReport(pairsOf(pairValues, greedy), rows, columns),
    optimal: optimalReport,
    pairs,
    splitInB: splits(nearestInA, similarity, rows),
    splitInA: splits(nearestInB, turned, columns),
    absorbedInB: absorbed(nearestInB, optimal, rowOf, similarity),
    absorbedInA: absorbed(nearestInA, rowOf, optimal, turned),
  };
}

function pairsOf({ columns, values }: PairValues, matching: Matching): readonly Pair[] {
  return Array.from(matching, (b, a) => ({ a, b, similarity: b < 0 ? Number.NaN : values[a * columns + b] }))
    .filter(({ b }) => b >= 0)
    .sort((one, other) => other.similarity - one.similarity || one.a - other.a);
}

function matchingReport(pairs: readonly Pair[], rows: number, columns: number): MatchingReport {
  const count = pairs.length;
  return {
    meanSimilarity: count === 0 ? 0 : pairs.reduce((sum, { similarity }) => sum + similarity, 0) / count,
    medianSimilarity: pairs[Math.floor((count - 1) / 2)]?.similarity ?? 0,
    found: matchThresholds.map((threshold) => {
      const good = pairs.filter(({ similarity }) => similarity >= threshold).length;
      return { threshold, pairs: good, shareOfA: good / rows, shareOfB: good / columns };
    }),
  };
}

/** The nearest column of each row and the nearest row of each column. */
function nearest({ rows, columns, values }: PairValues): [Int32Array, Int32Array] {
  const ofRow = new Int32Array(rows);
  const ofColumn = new Int32Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column];
      if (value > values[row * columns + ofRow[row]]) ofRow[row] = column;
      if (value > values[ofColumn[column] * columns + column]) ofColumn[column] = row;
    }
  }
  return [ofRow, ofColumn];
}

/** `nearestHere` gives for each feature of the other dictionary the nearest of `features` here. */
function splits(
  nearestHere: Int32Array,
  similarity: (here: number, other: number) => number,
  features: number,
): Candidates<SplitCandidate> {
  const parts = Array.from({ length: features }, (): { feature: number; similarity: number }[] => []);
  for (const [other, here] of nearestHere.entries()) {
    const value = similarity(here, other);
    if (value >= related) parts[here]?.push({ feature: other, similarity: value });
  }
  const all = parts
    .map((each, feature) => ({ feature, parts: each.sort((x, y) => y.similarity - x.similarity) }))
    .filter((candidate) => candidate.parts.length >= 2)
    .sort((x, y) => y.parts.length - x.parts.length || x.feature - y.feature);
  return { count: all.length, best: all.slice(0, listed) };
}

function absorbed(
  nearestThere: Int32Array,
  matchOfHere: Matching,
  matchOfThere: Matching,
  similarity: (here: number, there: number) => number,
): Candidates<AbsorbedCandidate> {
  const all = Array.from(nearestThere, (into, feature): AbsorbedCandidate => {
    const pairedWith = matchOfThere[into];
    const pairSimilarity = pairedWith < 0 ? 0 : similarity(pairedWith, into);
    return { feature, into, similarity: similarity(feature, into), pairedWith, pairSimilarity };
  })
    .filter(({ feature, pairedWith, pairSimilarity, similarity: near }) => {
      const own = matchOfHere[feature];
      const alone = own < 0 || similarity(feature, own) < found;
      return alone && pairedWith !== feature && pairedWith >= 0 && pairSimilarity >= found && near >= related;
    })
    .sort((x, y) => y.similarity - x.similarity || x.feature - y.feature);
  return { count: all.length, best: all.slice(0, listed) };
}
