import { TillerError } from '../../core/errors.ts';
import type { SamplingParameters } from '../../core/request.ts';
import type { LogitsRow } from '../../core/step.ts';
import { adjustLogits, applyAdjustments, isAdjusted, type SamplingState } from './adjust.ts';
import { BucketRanking } from './bucket-ranking.ts';
import { chooseRank, type Truncation } from './choose.ts';
import { adjustedHead, type Head, headOf } from './head.ts';
import { uniform } from './random.ts';
import { ListedRanking } from './ranking.ts';

/**
 * The next token. Temperature 0 is greedy, ties going to the lowest id; otherwise one uniform number decides (random.ts),
 * through choose.ts.
 *
 * The largest logits, those that are adjusted (adjust.ts) and the log-sum-exp of the row are enough for most draws; the whole
 * row is read only where they do not settle the choice. They settle it only if the whole row is bound to give the same
 * token, so the answer never depends on which way was taken.
 *
 * @param index which generated token this is, from 0
 * @throws step_failed when every token is banned
 */
export function sampleToken(row: LogitsRow, sampling: SamplingParameters, state: SamplingState, index: number): number {
  const u = sampling.temperature > 0 ? uniform(sampling.seed, index) : 0;
  if (!isAdjusted(sampling, state)) {
    const head = headOf(row);
    return sampleFromHead(head, sampling, u) ?? sampleFromFull(row.full(), sampling, u, head.logits[0]);
  }
  const logits = row.full();
  const adjusted = adjustLogits(logits, sampling, state);
  const head = adjustedHead(row, logits, adjusted);
  return (
    sampleFromHead(head, sampling, u) ?? sampleFromFull(applyAdjustments(logits, adjusted), sampling, u, head.logits[0])
  );
}

/** Whether the row holds numbers that a token can be chosen from: a single NaN or +∞ spoils the log-sum-exp. */
export function isFiniteRow(row: LogitsRow): boolean {
  return Number.isFinite(row.logSumExp) && Number.isFinite(row.topValues[0]) && !row.topValues.some(Number.isNaN);
}

/**
 * The choice over a whole row of logits.
 *
 * @param largest the largest of them, where it is known
 */
export function sampleFromFull(
  logits: Float32Array,
  truncation: Truncation,
  u: number,
  largest: number | undefined = undefined,
): number {
  if (truncation.temperature === 0 || largest === undefined) {
    const best = argmax(logits);
    if (best < 0) {
      throw new TillerError('step_failed', 'Every token is banned: no token is left to choose. Loosen logit_bias.', {
        param: 'logit_bias',
      });
    }
    return truncation.temperature === 0 ? best : draw(logits, logits[best] as number, truncation, u);
  }
  return draw(logits, largest, truncation, u);
}

function draw(logits: Float32Array, largest: number, truncation: Truncation, u: number): number {
  const ranking = new BucketRanking(logits, largest, truncation.temperature);
  const rank = chooseRank(ranking, truncation, ranking.total, u);
  // a whole row settles every choice
  return ranking.tokenId(rank ?? 0);
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
/** How far sums of the same terms in different orders, or by the series of bucket-ranking.ts, may be apart. */
const orderTolerance = 1e-9;

/** The choice from the head of a row alone; null when it does not settle it. */
export function sampleFromHead(head: Head, truncation: Truncation, u: number): number | null {
  const { logits, tokenIds } = head;
  if (logits.length === 0) return null;
  if (truncation.temperature === 0) return lowestTied(head);
  const ranking = new ListedRanking(logits, tokenIds, truncation.temperature);
  if (truncation.topK > 0 || truncation.minP > 0) {
    const rank = chooseRank(ranking, truncation, Number.NaN, u);
    return rank === null ? null : ranking.tokenId(rank);
  }
  const bounds = boundTotalWeight(head, truncation.temperature);
  if (!bounds) return null;
  // the chosen rank never falls as more is kept, so equal answers at both ends hold for all between
  const edgeWeight = Math.exp((head.edge - (logits[0] as number)) / truncation.temperature) * (1 + orderTolerance);
  const least = chooseRank(ranking, truncation, bounds.least, u, 0);
  const most = chooseRank(ranking, truncation, bounds.most, u, edgeWeight);
  return least !== null && least === most ? ranking.tokenId(least) : null;
}

function lowestTied({ logits, tokenIds }: Head): number {
  let lowest = tokenIds[0] as number;
  for (let rank = 1; rank < logits.length && logits[rank] === logits[0]; rank++) {
    lowest = Math.min(lowest, tokenIds[rank] as number);
  }
  return lowest;
}

/**
 * Bounds of the sum of all weights exp((l − l₀)/T). What is known is summed; of the rest the sum at T = 1 is what the
 * log-sum-exp leaves. At T < 1 a token of the rest, whose weight at T = 1 is w ≤ r (r that of the edge), has weight
 * w^(1/T) ≤ w·r^(1/T − 1), which bounds their sum. Above 1 no useful bound is known: null.
 */
function boundTotalWeight(head: Head, temperature: number): { least: number; most: number } | null {
  if (temperature > 1) return null;
  const { logits, later, edge, logSumExp, known } = head;
  const largest = logits[0] as number;
  const weighed = sumOfWeights(logits, largest, temperature) + sumOfWeights(later, largest, temperature);
  const all = Math.exp(logSumExp - largest);
  const rest = all - sumOfWeights(known, largest, 1);
  const leastRest = temperature === 1 ? Math.max(0, rest - all * sumTolerance) : 0;
  const mostRest = Math.max(0, rest + all * sumTolerance) * Math.exp(edge - largest) ** (1 / temperature - 1);
  return {
    least: (weighed + leastRest) * (1 - orderTolerance),
    most: (weighed + mostRest) * (1 + orderTolerance),
  };
}

function sumOfWeights(logits: ArrayLike<number>, largest: number, temperature: number): number {
  let sum = 0;
  for (let at = 0; at < logits.length; at++) sum += Math.exp(((logits[at] as number) - largest) / temperature);
  return sum;
}
