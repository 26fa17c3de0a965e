/** The middle value; the mean of the two middle ones of an even number. Throws for no values at all. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Between the two nearest values in proportion (numpy's default, which vLLM's figures use). Throws for no values at all. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new Error('no values to take a percentile of');
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values to take a mean of');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a whole population, as numpy's `std`. */
export function standardDeviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** a / b round by round: what drifts with the machine's speed falls out. */
export function pairedRatios(a: readonly number[], b: readonly number[]): number[] {
  if (a.length !== b.length) throw new Error(`${a.length} rounds cannot be paired with ${b.length}`);
  return a.map((value, round) => value / b[round]);
}

/** The values in the order of a round: every round begins with another one, so that nobody always follows the same neighbour. */
export function rotated<T>(values: readonly T[], round: number): T[] {
  const start = values.length === 0 ? 0 : round % values.length;
  return [...values.slice(start), ...values.slice(0, start)];
}
