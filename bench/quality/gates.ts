import { atLeast, atMost, type Gate } from '../gates.ts';
import type { QualityResults } from './results.ts';

/**
 * Beyond these a precision is not rounded but broken. Figures of a good one for comparison: rounding the default model's weights
 * to eight bits a row, and nothing else, gives KL 0.004 and Jaccard 0.96.
 */
export const qualityLimits = { perplexity: 1.05, divergence: 0.05, topAgreement: 0.88, jaccard: 0.85 } as const;
/**
 * One token a step against prompt steps of the same precision. In f32 only the last bits of attention differ, nats per token; where
 * inputs are rounded, rounding carries such a difference further, until it is as large as the rounding itself.
 */
export const ownPathLimit = (precision: string) => (precision === 'f32' ? 1e-6 : qualityLimits.divergence);

const perThousand = 1000;

/** Limits of every precision that was measured. */
export function checkQuality({ precisions }: QualityResults): Gate[] {
  const reference = precisions.find(({ precision }) => precision === 'f32');
  return precisions.flatMap((entry) => {
    const { precision, prompt, ownPath, features } = entry;
    const ratio = reference ? prompt.perplexity / reference.prompt.perplexity : null;
    const milli = (divergence: number) => divergence * perThousand;
    return [
      atMost(
        `${precision}: KL of one token a step from prompt steps, nats per thousand tokens`,
        milli(ownPath.divergence.mean),
        milli(ownPathLimit(precision)),
      ),
      atMost(`${precision}: perplexity over that of f32`, ratio, qualityLimits.perplexity),
      atMost(
        `${precision}: KL from f32, nats per thousand tokens`,
        milli(prompt.divergence.mean),
        milli(qualityLimits.divergence),
      ),
      atLeast(
        `${precision}: share of positions with the likeliest token of f32`,
        prompt.topAgreement,
        qualityLimits.topAgreement,
      ),
      atLeast(`${precision}: features that fire in both, of those in either`, features.jaccard, qualityLimits.jaccard),
    ];
  });
}
