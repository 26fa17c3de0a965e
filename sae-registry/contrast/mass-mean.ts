import type { Pace } from '../relations/pace.ts';
import { addScaled, dot, lengthOf } from './arithmetic.ts';
import type { Rows } from './rows.ts';

/** Ends where the residual is so much shorter than the right-hand side. */
const tolerance = 1e-10;

/**
 * Σ⁻¹·(mean⁺ − mean⁻), the mass-mean probe of Marks & Tegmark (2023), which is Fisher's discriminant: Σ is the covariance of the
 * samples about their own class's mean. There are often fewer samples than dimensions and then Σ has no inverse: Ledoit and Wolf's
 * shrinkage (2004; `sklearn.covariance.ledoit_wolf`) moves it to a multiple of the identity by as much as the samples call for.
 * `within` are the samples without their class's mean. By conjugate gradients.
 */
export async function massMean(within: Rows, difference: Float64Array, pace: Pace | null): Promise<Float64Array> {
  const { shrinkage, variance } = await ledoitWolf(within, pace);
  const apply = async (vector: Float64Array) => {
    const product = await within.combine(await within.times(vector, pace), pace);
    return product.map((value, i) => ((1 - shrinkage) * value) / within.rows + shrinkage * variance * vector[i]);
  };
  return conjugateGradients(apply, difference);
}

/** How far the covariance S of rows about 0 moves to `variance`·I: β / δ with δ = ‖S − variance·I‖² / width and β = (Σ‖x‖⁴ / n − ‖S‖²) / (n·width) ≤ δ. */
export async function ledoitWolf(
  rows: Rows,
  pace: Pace | null,
): Promise<{ readonly shrinkage: number; readonly variance: number }> {
  const { rows: count, width } = rows;
  let [squares, fourths, products] = [0, 0, 0];
  for (let row = 0; row < count; row++) {
    const one = await rows.only([row]).combine([1], pace);
    const square = dot(one, one);
    squares += square;
    fourths += square * square;
    // ‖S‖² = Σ (xᵢ·xⱼ)² / n²
    const others = await rows.times(one, pace);
    products += dot(others, others);
  }
  const variance = squares / count / width;
  // every sample is its class's mean: nothing varies, and every direction is as good
  if (!(variance > 0)) return { shrinkage: 1, variance: 1 };
  const norm = products / count / count;
  const distance = norm / width - variance * variance;
  const noise = Math.max(0, fourths / count - norm) / (count * width);
  return { shrinkage: distance > 0 ? Math.min(distance, noise) / distance : 1, variance };
}

async function conjugateGradients(
  apply: (vector: Float64Array) => Promise<Float64Array>,
  right: Float64Array,
): Promise<Float64Array> {
  const solution = new Float64Array(right.length);
  const residual = right.slice();
  let search: Float64Array = right.slice();
  let square = dot(residual, residual);
  const enough = tolerance * lengthOf(right);
  for (let step = 0; step < 4 * right.length && Math.sqrt(square) > enough; step++) {
    const product = await apply(search);
    const factor = square / dot(search, product);
    addScaled(solution, factor, search);
    addScaled(residual, -factor, product);
    const next = dot(residual, residual);
    search = residual.map((value, i) => value + (next / square) * search[i]);
    square = next;
  }
  return solution;
}
