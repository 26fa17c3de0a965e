/** The area under the ROC curve with its confidence interval. */
export interface Auroc {
  /** The probability that a positive item scores higher than a negative one; a tie counts half. */
  readonly auroc: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 %. */
export const confidence = 0.95;
const z = 1.959963984540054;

/**
 * AUROC of scores with DeLong's interval (DeLong, DeLong & Clarke-Pearson 1988; by midranks, Sun & Xu 2014), cut to [0, 1]. Where all
 * items are on their right side, or all on the wrong one, its variance is 0 and says nothing: there the bound is that of a binomial
 * with as many trials as the smaller class has items and no failure, (α/2)^(1/n).
 */
export function auroc(positive: ArrayLike<number>, negative: ArrayLike<number>): Auroc {
  const [m, n] = [positive.length, negative.length];
  const both = new Float64Array(m + n);
  both.set(Float64Array.from(positive));
  both.set(Float64Array.from(negative), m);
  const ranks = midranks(both);
  const ofPositive = midranks(Float64Array.from(positive));
  const ofNegative = midranks(Float64Array.from(negative));
  // V10 and V01 of DeLong: the share of the other class that each item beats
  const beats = Float64Array.from({ length: m }, (_, i) => (ranks[i] - ofPositive[i]) / n);
  const beaten = Float64Array.from({ length: n }, (_, j) => 1 - (ranks[m + j] - ofNegative[j]) / m);
  const area = beats.reduce((sum, value) => sum + value, 0) / m;
  const variance = varianceOf(beats) / m + varianceOf(beaten) / n;
  if (variance === 0 && (area === 0 || area === 1)) {
    const bound = ((1 - confidence) / 2) ** (1 / Math.min(m, n));
    return area === 1 ? { auroc: 1, low: bound, high: 1 } : { auroc: 0, low: 0, high: 1 - bound };
  }
  const reach = z * Math.sqrt(variance);
  return { auroc: area, low: Math.max(0, area - reach), high: Math.min(1, area + reach) };
}

/** Ranks from 1 on; equal values share the middle of theirs. */
function midranks(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let first = 0; first < order.length; ) {
    let end = first + 1;
    while (end < order.length && values[order[end]] === values[order[first]]) end++;
    for (let i = first; i < end; i++) ranks[order[i]] = (first + 1 + end) / 2;
    first = end;
  }
  return ranks;
}

function varianceOf(values: Float64Array): number {
  if (values.length < 2) return 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}
