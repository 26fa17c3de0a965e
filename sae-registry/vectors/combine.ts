import { TillerError } from '../../engine/core/index.ts';
import type { Direction } from '../store/index.ts';

/** One vector of a sum. */
export interface VectorTerm {
  /** At different hook points. */
  readonly directions: readonly Direction[];
  /** What it is multiplied by. */
  readonly scale: number;
  /** Whether each of its directions is taken at unit length first. */
  readonly unit: boolean;
}

export interface Combination {
  readonly terms: readonly VectorTerm[];
  /** Directions whose span is taken out of the sum, at the hook points that they have in common with it. */
  readonly orthogonalTo: readonly (readonly Direction[])[];
  /** Whether each direction of the result is made one of unit length. */
  readonly unit: boolean;
}

/** What is left of a sum after orthogonalising counts as nothing below this share of it: float32 has seven digits. */
const leastShare = 1e-5;

/**
 * A sum of scaled vectors, hook point by hook point (where a term has none it adds nothing), what others span taken out, then made one of
 * unit length where that is asked for. Sums in float64. Throws `edit_not_applicable` where nothing is left at a hook point, or widths differ.
 */
export function combineVectors({ terms, orthogonalTo, unit }: Combination): readonly Direction[] {
  const sums = new Map<string, Float64Array>();
  for (const term of terms) {
    for (const { hookPoint, values } of term.directions) {
      const sum = sums.get(hookPoint) ?? new Float64Array(values.length);
      sums.set(hookPoint, sum);
      checkWidth(hookPoint, sum.length, values.length);
      const factor = term.scale / (term.unit ? lengthOrRefuse(values, hookPoint) : 1);
      for (const [i, value] of values.entries()) sum[i] = (sum[i] as number) + factor * value;
    }
  }
  return Array.from(sums, ([hookPoint, sum]) => {
    const before = lengthOrRefuse(sum, hookPoint);
    for (const axis of spanOf(orthogonalTo, hookPoint, sum.length)) takeOut(sum, axis);
    const after = lengthOf(sum);
    if (after < leastShare * before) throw nothingLeft(hookPoint);
    const values = Float32Array.from(sum, (value) => value / (unit ? after : 1));
    if (!values.every(Number.isFinite)) throw notFinite(hookPoint);
    return { hookPoint, values };
  });
}

/** An orthonormal basis of what the vectors span there: Gram–Schmidt, twice, as once loses digits. */
function spanOf(vectors: readonly (readonly Direction[])[], hookPoint: string, width: number): Float64Array[] {
  const axes: Float64Array[] = [];
  for (const { values } of vectors.flat().filter((direction) => direction.hookPoint === hookPoint)) {
    checkWidth(hookPoint, width, values.length);
    const axis = Float64Array.from(values);
    const before = lengthOf(axis);
    for (const other of [...axes, ...axes]) takeOut(axis, other);
    const after = lengthOf(axis);
    // what depends on the others adds no axis
    if (after > leastShare * before) axes.push(axis.map((value) => value / after));
  }
  return axes;
}

/** `axis` is of unit length. */
function takeOut(values: Float64Array, axis: Float64Array): void {
  let product = 0;
  for (let i = 0; i < values.length; i++) product += (values[i] as number) * (axis[i] as number);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) - product * (axis[i] as number);
}

/** Euclidean length, in float64. */
export function lengthOf(values: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < values.length; i++) square += (values[i] as number) ** 2;
  return Math.sqrt(square);
}

function lengthOrRefuse(values: ArrayLike<number>, hookPoint: string): number {
  const length = lengthOf(values);
  if (length > 0) return length;
  throw nothingLeft(hookPoint);
}

function nothingLeft(hookPoint: string): TillerError {
  const message = `Nothing is left at ${hookPoint}: the terms cancel out, or lie in what they are to be orthogonal to.`;
  return new TillerError('edit_not_applicable', message, { param: 'terms' });
}

function notFinite(hookPoint: string): TillerError {
  return new TillerError('edit_not_applicable', `The sum at ${hookPoint} is beyond float32: scale it down.`, {
    param: 'terms',
  });
}

function checkWidth(hookPoint: string, width: number, other: number): void {
  if (width === other) return;
  const message = `Directions at ${hookPoint} are ${width} and ${other} wide: they are not of one model.`;
  throw new TillerError('edit_not_applicable', message, { param: 'terms' });
}
