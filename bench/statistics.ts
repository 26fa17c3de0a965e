/** The middle value; the mean of the two middle ones of an even number. Throws for no values at all. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values to take a median of');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
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
