/** a·b in float64. */
export function dot(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** ‖a‖ in float64. */
export function norm(a: Float32Array | Float64Array): number {
  return Math.sqrt(dot(a, a));
}

/** `a` times `factor`, rounded once to float32. */
export function scaled(a: Float32Array | Float64Array, factor: number): Float32Array {
  const out = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) out[i] = (a[i] as number) * factor;
  return out;
}

/** What is left of a unit vector beside the others' span before it counts as inside that span (float32 rounding). */
const dependent = 1e-5;

/**
 * Modified Gram–Schmidt, run twice over each vector for orthogonality to rounding (Giraud et al. 2005). Returns one vector
 * for each input, in order: orthonormal ones, and zeros where an input lies in the span of those before it.
 */
export function orthonormalise(vectors: readonly Float32Array[]): Float32Array[] {
  const basis: Float64Array[] = [];
  return vectors.map((vector) => {
    const length = norm(vector);
    const rest = Float64Array.from(vector, (value) => value / length);
    for (let pass = 0; pass < 2; pass++) {
      for (const direction of basis) {
        const along = dot(rest, direction);
        for (let i = 0; i < rest.length; i++) rest[i] = (rest[i] as number) - along * (direction[i] as number);
      }
    }
    const left = norm(rest);
    if (!(left > dependent)) return new Float32Array(vector.length);
    for (let i = 0; i < rest.length; i++) rest[i] = (rest[i] as number) / left;
    basis.push(rest);
    return Float32Array.from(rest);
  });
}
