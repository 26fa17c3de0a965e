import type { Direction } from '../store/index.ts';
import { lengthOf } from './combine.ts';

/** A vector as it is compared. */
export interface NamedVector {
  readonly name: string;
  readonly directions: readonly Direction[];
}

/** Cosines of vectors at one hook point. */
export interface PlaceSimilarity {
  readonly hookPoint: string;
  /** Those that have a direction there, in the order given. */
  readonly names: readonly string[];
  readonly norms: readonly number[];
  /** Row by row, null with a direction of zeros. */
  readonly cosines: readonly (readonly (number | null)[])[];
}

/** Cosines among vectors at each hook point that any of them has, in the order in which they come up. */
export function similarityOf(vectors: readonly NamedVector[]): readonly PlaceSimilarity[] {
  const places = new Set(vectors.flatMap(({ directions }) => directions.map(({ hookPoint }) => hookPoint)));
  return Array.from(places, (hookPoint) => {
    const here = vectors.flatMap(({ name, directions }) => {
      const direction = directions.find((one) => one.hookPoint === hookPoint);
      return direction ? [{ name, values: direction.values }] : [];
    });
    return {
      hookPoint,
      names: here.map(({ name }) => name),
      norms: here.map(({ values }) => lengthOf(values)),
      cosines: here.map((a) => here.map((b) => cosineOf(a.values, b.values))),
    };
  });
}

/** Null where one has no length. Float64 sums; directions of one width. */
export function cosineOf(a: Float32Array, b: Float32Array): number | null {
  const lengths = lengthOf(a) * lengthOf(b);
  if (lengths === 0) return null;
  let product = 0;
  for (let i = 0; i < a.length; i++) product += (a[i] as number) * (b[i] as number);
  return Math.max(-1, Math.min(1, product / lengths));
}
