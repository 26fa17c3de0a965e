import { percentile } from '../statistics.ts';

/** One position's logits as probabilities, in float64. */
export interface Distribution {
  readonly logits: Float32Array;
  readonly logSumExp: number;
  readonly probabilities: Float64Array;
}

/** Throws where a logit is not a finite number. `probabilities` is memory to use again, as long as the vocabulary. */
export function distributionOf(logits: Float32Array, probabilities: Float64Array): Distribution {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const power = Math.exp(logits[i] - largest);
    probabilities[i] = power;
    sum += power;
  }
  // A NaN or an infinity anywhere reaches the sum.
  if (!Number.isFinite(sum) || !Number.isFinite(largest)) throw new Error('a logit is not a finite number');
  for (let i = 0; i < logits.length; i++) probabilities[i] = probabilities[i] / sum;
  return { logits, logSumExp: largest + Math.log(sum), probabilities };
}

/** KL(reference ‖ other) in nats: what is lost by coding the reference's next token with the other's probabilities. */
export function divergence(reference: Distribution, other: Distribution): number {
  let sum = 0;
  for (let i = 0; i < reference.logits.length; i++) {
    sum += reference.probabilities[i] * (reference.logits[i] - other.logits[i]);
  }
  // Rounding can take a divergence of zero below it.
  return Math.max(0, sum - reference.logSumExp + other.logSumExp);
}

/** The first of the largest logits, as a greedy choice takes it. */
function topToken(logits: Float32Array): number {
  let top = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[top]) top = i;
  return top;
}

export interface DistributionSummary {
  /** Predictions counted. */
  readonly tokens: number;
  /** exp of the mean negative log-probability of the tokens that follow. */
  readonly perplexity: number;
  /** Nats per token. */
  readonly divergence: { readonly mean: number; readonly p99: number; readonly max: number };
  /** Share of positions where both hold the same token for the likeliest. */
  readonly topAgreement: number;
}

/** One precision's predictions beside those of f32, position by position. */
export class DistributionComparison {
  private surprisal = 0;
  private agreeing = 0;
  private readonly divergences: number[] = [];

  add(reference: Distribution, other: Distribution, nextToken: number): void {
    this.surprisal += other.logSumExp - other.logits[nextToken];
    this.divergences.push(divergence(reference, other));
    if (topToken(reference.logits) === topToken(other.logits)) this.agreeing++;
  }

  summary(): DistributionSummary {
    const tokens = this.divergences.length;
    return {
      tokens,
      perplexity: Math.exp(this.surprisal / tokens),
      divergence: {
        mean: this.divergences.reduce((sum, value) => sum + value, 0) / tokens,
        p99: percentile(this.divergences, 99),
        max: this.divergences.reduce((most, value) => Math.max(most, value), 0),
      },
      topAgreement: this.agreeing / tokens,
    };
  }
}
