import type { Pace } from '../relations/pace.ts';
import { addScaled, dot, lengthOf } from './arithmetic.ts';
import type { Rows } from './rows.ts';

/** Longest Krylov space; a residual below the tolerance ends it sooner. */
const mostSteps = 160;
const tolerance = 1e-10;

/**
 * The unit vector along which rows vary most about 0: the first eigenvector of rowsᵀ·rows, whose sign means nothing. By Lanczos' method
 * with full reorthogonalisation, from the longest row: the same numbers every time. Null where all rows are 0.
 */
export async function principalComponent(rows: Rows, pace: Pace | null): Promise<Float64Array | null> {
  const { width } = rows;
  const start = await longestRow(rows, pace);
  if (start === null) return null;
  const basis: Float64Array[] = [start];
  const [diagonal, beside]: [number[], number[]] = [[], []];
  for (let step = 0; ; step++) {
    const next = await rows.combine(await rows.times(basis[step], pace), pace);
    diagonal.push(dot(next, basis[step]));
    // twice: once leaves what rounding put back
    for (let again = 0; again < 2; again++) for (const known of basis) addScaled(next, -dot(next, known), known);
    const rest = lengthOf(next);
    const { value, vector } = largestOfTridiagonal(diagonal, beside);
    const done = rest * Math.abs(vector[step]) <= tolerance * value;
    if (done || step + 1 >= Math.min(width, mostSteps)) {
      const found = new Float64Array(width);
      for (const [i, known] of basis.entries()) addScaled(found, vector[i], known);
      const length = lengthOf(found);
      return found.map((each) => each / length);
    }
    beside.push(rest);
    basis.push(next.map((each) => each / rest));
  }
}

/** The longest row made a unit; null where none has a length. */
async function longestRow(rows: Rows, pace: Pace | null): Promise<Float64Array | null> {
  let best: Float64Array | null = null;
  let longest = 0;
  for (let row = 0; row < rows.rows; row++) {
    const one = await rows.only([row]).combine([1], pace);
    const length = lengthOf(one);
    if (length > longest) [best, longest] = [one, length];
  }
  return best?.map((value) => value / longest) ?? null;
}

/** The largest eigenvalue of a symmetric tridiagonal matrix, by bisection, and its unit vector, by inverse iteration. */
function largestOfTridiagonal(
  diagonal: readonly number[],
  beside: readonly number[],
): { readonly value: number; readonly vector: Float64Array } {
  const n = diagonal.length;
  const edge = (i: number) => Math.abs(beside[i - 1] ?? 0) + Math.abs(i < n - 1 ? beside[i] : 0);
  let low = Math.max(...diagonal);
  let high = Math.max(...diagonal.map((value, i) => value + edge(i)));
  // Sturm: x is above all eigenvalues where every pivot of (matrix − x) is negative
  const isAbove = (x: number) => {
    let pivot = diagonal[0] - x;
    for (let i = 1; i < n && pivot < 0; i++) pivot = diagonal[i] - x - beside[i - 1] ** 2 / pivot;
    return pivot < 0;
  };
  for (let turn = 0; turn < 200 && high - low > 1e-15 * Math.abs(high); turn++) {
    const middle = (low + high) / 2;
    if (isAbove(middle)) high = middle;
    else low = middle;
  }
  // a shift a little above: (matrix − shift) is negative definite, so elimination needs no pivoting
  const shift = high + 1e-13 * Math.abs(high);
  let vector = new Float64Array(n).fill(1 / Math.sqrt(n));
  for (let turn = 0; turn < 4; turn++) {
    vector = solveTridiagonal(diagonal, beside, shift, vector);
    const length = lengthOf(vector);
    vector = vector.map((value) => value / length);
  }
  return { value: high, vector };
}

function solveTridiagonal(
  diagonal: readonly number[],
  beside: readonly number[],
  shift: number,
  right: Float64Array,
): Float64Array<ArrayBuffer> {
  const n = diagonal.length;
  const pivots = new Float64Array(n);
  const solution = Float64Array.from(right);
  pivots[0] = Math.min(diagonal[0] - shift, -Number.MIN_VALUE);
  for (let i = 1; i < n; i++) {
    const factor = beside[i - 1] / pivots[i - 1];
    pivots[i] = diagonal[i] - shift - factor * beside[i - 1];
    // exactly singular: any tiny pivot gives the direction
    if (!(pivots[i] < 0)) pivots[i] = -1e-300;
    solution[i] -= factor * solution[i - 1];
  }
  solution[n - 1] /= pivots[n - 1];
  for (let i = n - 2; i >= 0; i--) solution[i] = (solution[i] - beside[i] * solution[i + 1]) / pivots[i];
  return solution;
}
