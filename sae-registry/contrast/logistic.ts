import { TillerError } from '../../engine/core/index.ts';
import type { Pace } from '../relations/pace.ts';
import { addScaled, dot, lengthOf } from './arithmetic.ts';
import type { Rows } from './rows.ts';

/** Corrections that L-BFGS remembers. */
const memory = 20;
const mostIterations = 500;
/** Ends where the gradient is so much shorter than at the start. */
const tolerance = 1e-7;

/**
 * Weights [width] of a logistic regression with an L2 penalty: the least of ½·l2·‖w‖² + Σ log(1 + exp(−y·(w·row + b))) with y = ±1 and a
 * bias b that is not penalised; scikit-learn's `LogisticRegression(C = 1/l2)`. By L-BFGS from 0 (Nocedal & Wright, algorithm 7.4) with
 * Armijo steps: no chance in it. Throws `internal` where it does not converge, which a convex problem always does.
 */
export async function logisticProbe(
  rows: Rows,
  positive: ArrayLike<boolean>,
  l2: number,
  pace: Pace | null,
): Promise<Float64Array> {
  const { width } = rows;
  const sign = Float64Array.from({ length: rows.rows }, (_, row) => (positive[row] ? 1 : -1));
  // the last number is the bias
  const evaluate = async (at: Float64Array) => {
    const weights = at.subarray(0, width);
    const margins = (await rows.times(weights, pace)).map((value, i) => sign[i] * (value + at[width]));
    let loss = 0.5 * l2 * dot(weights, weights);
    for (const margin of margins) loss += softplus(-margin);
    const pulls = margins.map((margin, i) => -sign[i] / (1 + Math.exp(margin)));
    const total = pulls.reduce((sum, value) => sum + value, 0);
    const sum = await rows.combine(pulls, pace);
    const gradient = new Float64Array(width + 1);
    for (let i = 0; i < width; i++) gradient[i] = sum[i] + l2 * weights[i];
    gradient[width] = total;
    return { loss, gradient };
  };
  let at: Float64Array = new Float64Array(width + 1);
  let here = await evaluate(at);
  const enough = tolerance * Math.max(1, lengthOf(here.gradient));
  const steps: { readonly s: Float64Array; readonly y: Float64Array; readonly curvature: number }[] = [];
  for (let iteration = 0; iteration < mostIterations; iteration++) {
    if (lengthOf(here.gradient) <= enough) return at.slice(0, width);
    const direction = descend(here.gradient, steps);
    const slope = dot(direction, here.gradient);
    let step = steps.length === 0 ? 1 / lengthOf(here.gradient) : 1;
    let next = moved(at, step, direction);
    let there = await evaluate(next);
    while (!(there.loss <= here.loss + 1e-4 * step * slope)) {
      step /= 2;
      // no step makes it less: this is the least that float64 can tell
      if (step < 1e-12) return at.slice(0, width);
      next = moved(at, step, direction);
      there = await evaluate(next);
    }
    const s = moved(next, -1, at);
    const y = moved(there.gradient, -1, here.gradient);
    const curvature = dot(s, y);
    if (curvature > 0) steps.push({ s, y, curvature });
    if (steps.length > memory) steps.shift();
    [at, here] = [next, there];
  }
  throw new TillerError('internal', `The logistic probe did not converge in ${mostIterations} iterations.`);
}

/** −H·gradient, with H the inverse Hessian that the steps tell of. */
function descend(
  gradient: Float64Array,
  steps: readonly { readonly s: Float64Array; readonly y: Float64Array; readonly curvature: number }[],
): Float64Array {
  const direction = gradient.map((value) => -value);
  const shares: number[] = [];
  for (const { s, y, curvature } of steps.toReversed()) {
    const share = dot(s, direction) / curvature;
    shares.push(share);
    addScaled(direction, -share, y);
  }
  const last = steps.at(-1);
  if (last) {
    const factor = last.curvature / dot(last.y, last.y);
    for (let i = 0; i < direction.length; i++) direction[i] *= factor;
  }
  for (const { s, y, curvature } of steps) addScaled(direction, (shares.pop() ?? 0) - dot(y, direction) / curvature, s);
  return direction;
}

function moved(from: Float64Array, step: number, by: Float64Array): Float64Array {
  return from.map((value, i) => value + step * by[i]);
}

/** log(1 + e^x) without overflow. */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
