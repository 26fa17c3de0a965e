import { TillerError } from '../../engine/core/index.ts';
import type { Pace } from '../relations/pace.ts';
import { addScaled, difference, dot, lengthOf, unit } from './arithmetic.ts';
import { logisticProbe } from './logistic.ts';
import { massMean } from './mass-mean.ts';
import { principalComponent } from './principal-component.ts';
import { centredRows, meanRow, type Rows } from './rows.ts';

/** How a direction is made of two classes (docs/contrast.md, "Methods"). */
export const contrastMethods = [
  'difference_of_means',
  'paired_pca',
  'paired_pca_center',
  'logistic',
  'mass_mean',
] as const;
export type ContrastMethod = (typeof contrastMethods)[number];

/** Those that look at the difference within each pair. */
export const isPaired = (method: ContrastMethod) => method === 'paired_pca' || method === 'paired_pca_center';

/** Samples of two classes. */
export interface Classes {
  readonly rows: Rows;
  /** Whether each row is of the positive class, [rows]. */
  readonly positive: readonly boolean[];
  /** Rows of each pair; of methods that are not paired it may be empty. */
  readonly pairs: readonly { readonly positive: number; readonly negative: number }[];
}

/** Where two classes lie apart. */
export interface ContrastDirection {
  /** Unit length, from the negative class to the positive one; [width]. */
  readonly direction: Float64Array;
  /** How far the classes' means are apart along it: times this, the direction takes one mean to the other. */
  readonly separation: number;
  /** Means of the classes along it. */
  readonly means: { readonly positive: number; readonly negative: number };
  /** Standard deviation of the samples along it about their own class's mean. */
  readonly deviation: number;
}

/** Strength of the logistic probe's penalty on samples scaled to a variance of 1 a dimension, on average. */
const logisticPenalty = 1;

/** The direction from the negative class to the positive one. Throws `invalid_request` where the classes do not differ. */
export async function contrastDirection(
  classes: Classes,
  method: ContrastMethod,
  pace: Pace | null,
): Promise<ContrastDirection> {
  const { rows, positive } = classes;
  const means = { positive: await meanOf(classes, true, pace), negative: await meanOf(classes, false, pace) };
  const between = difference(means.positive, means.negative);
  const found = unit(await rawDirection(classes, method, means, pace));
  if (found === null) throw same();
  const products = await rows.times(found, pace);
  const projected = { positive: dot(means.positive, found), negative: dot(means.negative, found) };
  const separation = dot(between, found);
  if (!(Math.abs(separation) > 0)) throw same();
  let square = 0;
  for (let row = 0; row < products.length; row++) {
    square += (products[row] - (positive[row] ? projected.positive : projected.negative)) ** 2;
  }
  const deviation = Math.sqrt(square / Math.max(1, products.length - 2));
  return { direction: found, separation, means: projected, deviation };
}

function same(): TillerError {
  const message =
    'The two classes read the same here: their samples have one mean. Give texts that differ, or another hook point or position.';
  return new TillerError('invalid_request', message, { param: 'hook_points' });
}

async function meanOf({ rows, positive }: Classes, which: boolean, pace: Pace | null): Promise<Float64Array> {
  return meanRow(rows.only(Array.from(positive.keys()).filter((row) => positive[row] === which)), pace);
}

async function rawDirection(
  classes: Classes,
  method: ContrastMethod,
  means: { readonly positive: Float64Array; readonly negative: Float64Array },
  pace: Pace | null,
): Promise<Float64Array> {
  const { rows, positive } = classes;
  const between = difference(means.positive, means.negative);
  switch (method) {
    case 'difference_of_means':
      return between;
    case 'paired_pca':
    case 'paired_pca_center':
      return pairedComponent(classes, method === 'paired_pca', between, pace);
    case 'logistic': {
      const middle = await meanRow(rows, pace);
      const scale = await spread(rows, middle, pace);
      return logisticProbe(await centredRows(rows, () => middle, 1 / scale, pace), positive, logisticPenalty, pace);
    }
    case 'mass_mean': {
      const within = await centredRows(rows, (row) => (positive[row] ? means.positive : means.negative), 1, pace);
      return massMean(within, between, pace);
    }
  }
}

/** Root of the mean variance of a dimension; 1 where nothing varies. */
async function spread(rows: Rows, middle: Float64Array, pace: Pace | null): Promise<number> {
  let square = 0;
  for (let row = 0; row < rows.rows; row++) {
    const one = await rows.only([row]).combine([1], pace);
    addScaled(one, -1, middle);
    square += dot(one, one);
  }
  return Math.sqrt(square / rows.rows / rows.width) || 1;
}

/**
 * The first principal component of the pairs' differences, centred as repeng's `pca_diff` does or not (`pca_center`); it points to
 * where the positive sample of most pairs lies, and where as many lie on either side, to where the positive mean does.
 */
async function pairedComponent(
  { rows, pairs }: Classes,
  isCentred: boolean,
  between: Float64Array,
  pace: Pace | null,
): Promise<Float64Array> {
  const signs = rows.only(pairs.map(({ positive }) => positive));
  const others: Float64Array[] = [];
  for (const { negative } of pairs) others.push(await rows.only([negative]).combine([1], pace));
  const differences = await centredRows(signs, (pair) => others[pair], 1, pace);
  const middle = isCentred ? await meanRow(differences, pace) : new Float64Array(rows.width);
  const component = await principalComponent(await centredRows(differences, () => middle, 1, pace), pace);
  // pairs that all differ alike leave nothing once that is taken off; what they share is the direction then
  if (component === null) return lengthOf(middle) > 0 ? middle : between;
  const products = await differences.times(component, pace);
  const votes = products.reduce((sum, value) => sum + Math.sign(value), 0) || dot(between, component);
  return votes < 0 ? component.map((value) => -value) : component;
}
