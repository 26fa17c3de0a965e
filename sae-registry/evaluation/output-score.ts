/** Mean log-probabilities a token of a wanted reply and of an unwanted one to the same prompt. */
export interface ReplyLikelihoods {
  readonly positive: number;
  readonly negative: number;
}

/**
 * The output score of a steering: by how many nats a token it favours wanted replies over unwanted ones, against the same without it;
 * mean over pairs, NaN for none. What a feature reads says little about what it does when it is written (Arad et al. 2025, arXiv 2505.20063
 * choose by output too, from its top logits; here whole replies are read).
 */
export function outputScore(steered: readonly ReplyLikelihoods[], plain: readonly ReplyLikelihoods[]): number {
  const gaps = steered.map(({ positive, negative }, i) => {
    const usual = plain[i];
    return usual === undefined ? Number.NaN : positive - negative - (usual.positive - usual.negative);
  });
  return gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
}
