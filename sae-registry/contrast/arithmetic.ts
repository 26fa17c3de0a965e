/** Plain vectors of float64. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export function lengthOf(vector: ArrayLike<number>): number {
  return Math.sqrt(dot(vector, vector));
}

/** The vector times `1 / length`; null for one of length 0, which has no direction. */
export function unit(vector: ArrayLike<number>): Float64Array | null {
  const length = lengthOf(vector);
  return length > 0 && Number.isFinite(length) ? Float64Array.from(vector, (value) => value / length) : null;
}

export function difference(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (value, i) => value - b[i]);
}

/** `a` += factor·b. */
export function addScaled(a: Float64Array, factor: number, b: ArrayLike<number>): void {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** With n − 1; 0 of a single value. */
export function deviation(values: ArrayLike<number>): number {
  if (values.length < 2) return 0;
  const middle = mean(values);
  let square = 0;
  for (let i = 0; i < values.length; i++) square += (values[i] - middle) ** 2;
  return Math.sqrt(square / (values.length - 1));
}
