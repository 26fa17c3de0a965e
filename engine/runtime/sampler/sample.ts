import { TillerError } from '../../core/errors.ts';
import type { SamplingParameters } from '../../core/request.ts';
import type { LogitsRow } from '../../core/step.ts';
import { adjustLogits, isAdjusted, type SamplingState } from './adjust.ts';
import { chooseRank, type Truncation } from './choose.ts';
import { descendingFull, descendingTop } from './descending.ts';
import { uniform } from './random.ts';

/**
 * The next token. Temperature 0 is greedy, ties going to the lowest id; otherwise one uniform number decides (random.ts),
 * through choose.ts.
 *
 * The largest logits and the log-sum-exp of the row are enough for most draws, and the whole row is read only for the rest:
 * when logits are adjusted (adjust.ts), or when the largest ones do not settle the choice. They settle it only if the whole
 * row is bound to give the same token, so the answer never depends on which way was taken.
 *
 * @param index which generated token this is, from 0
 * @throws step_failed when every token is banned
 */
export function sampleToken(row: LogitsRow, sampling: SamplingParameters, state: SamplingState, index: number): number {
  const adjusted = isAdjusted(sampling, state);
  const u = sampling.temperature > 0 ? uniform(sampling.seed, index) : 0;
  const quick = adjusted ? null : sampleFromTop(row, sampling, u);
  if (quick !== null) return quick;
  const logits = row.full();
  return sampleFromFull(adjusted ? adjustLogits(logits, sampling, state) : logits, sampling, u);
}

/** Whether the row holds numbers that a token can be chosen from: a single NaN or +∞ spoils the log-sum-exp. */
export function isFiniteRow(row: LogitsRow): boolean {
  return Number.isFinite(row.logSumExp) && Number.isFinite(row.topValues[0]) && !row.topValues.some(Number.isNaN);
}

/** The choice over a whole row of logits. */
export function sampleFromFull(logits: Float32Array, truncation: Truncation, u: number): number {
  const best = argmax(logits);
  if (best < 0) {
    throw new TillerError('step_failed', 'Every token is banned: no token is left to choose. Loosen logit_bias.', {
      param: 'logit_bias',
    });
  }
  if (truncation.temperature === 0) return best;
  const largest = logits[best] as number;
  const order = descendingFull(logits, largest);
  const rank = chooseRank(order, truncation, totalWeight(logits, largest, truncation), u);
  return rank === null ? best : order.tokenId(rank);
}

/** Sum of all weights, where choose.ts needs it. */
function totalWeight(logits: Float32Array, largest: number, { topK, minP, temperature }: Truncation): number {
  if (topK > 0 || minP > 0) return Number.NaN;
  let total = 0;
  for (let id = 0; id < logits.length; id++) total += Math.exp(((logits[id] as number) - largest) / temperature);
  return total;
}

function argmax(logits: Float32Array): number {
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit > largest) {
      largest = logit;
      best = id;
    }
  }
  return best;
}

/** How far the graph's float32 log-sum-exp may be from the truth, as a fraction of the sum; generous. */
const sumTolerance = 1e-3;
/** The same for two float64 sums of the same terms in different orders. */
const orderTolerance = 1e-9;

/** The choice from the largest logits alone; null when they do not settle it. */
export function sampleFromTop(row: LogitsRow, truncation: Truncation, u: number): number | null {
  const { topValues, topTokenIds } = row;
  if (topValues.length === 0) return null;
  if (truncation.temperature === 0) return lowestTied(topValues, topTokenIds);
  const order = descendingTop(topValues, topTokenIds);
  if (truncation.topK > 0 || truncation.minP > 0) {
    const rank = chooseRank(order, truncation, Number.NaN, u);
    return rank === null ? null : order.tokenId(rank);
  }
  const bounds = boundTotalWeight(row, truncation.temperature);
  if (!bounds) return null;
  // the chosen rank never falls as the total grows, so equal answers at both ends hold for all between
  const least = chooseRank(order, truncation, bounds.least, u);
  const most = chooseRank(order, truncation, bounds.most, u);
  return least !== null && least === most ? order.tokenId(least) : null;
}

function lowestTied(values: Float32Array, tokenIds: Int32Array): number {
  let lowest = tokenIds[0] as number;
  for (let rank = 1; rank < values.length && values[rank] === values[0]; rank++) {
    lowest = Math.min(lowest, tokenIds[rank] as number);
  }
  return lowest;
}

/**
 * Bounds of the sum of all weights exp((l − l₀)/T), from the largest logits and the log-sum-exp. At T = 1 the log-sum-exp
 * is that sum. At T < 1 a token outside, whose weight at T = 1 is w ≤ r (r the smallest weight inside), has weight
 * w^(1/T) ≤ w·r^(1/T − 1), which bounds their sum. Above 1 no useful bound is known: null.
 */
function boundTotalWeight(row: LogitsRow, temperature: number): { least: number; most: number } | null {
  if (temperature > 1) return null;
  const { topValues, logSumExp } = row;
  const largest = topValues[0] as number;
  let inside = 0;
  let insideAtOne = 0;
  for (const logit of topValues) {
    inside += Math.exp((logit - largest) / temperature);
    insideAtOne += Math.exp(logit - largest);
  }
  const all = Math.exp(logSumExp - largest);
  const outsideAtOne = Math.max(0, all * (1 + sumTolerance) - insideAtOne);
  const smallest = Math.exp((topValues.at(-1) as number) - largest);
  const least = temperature === 1 ? Math.max(inside, all * (1 - sumTolerance)) : inside;
  const most = inside + outsideAtOne * smallest ** (1 / temperature - 1);
  return { least: least * (1 - orderTolerance), most: Math.max(least, most) * (1 + orderTolerance) };
}
