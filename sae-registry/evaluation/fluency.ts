import type { TextFigures } from './text-figures.ts';

/** What a steered text may cost, each against the unsteered control of the same run. */
export interface FluencyLimits {
  /** Perplexity under the unsteered model: at most so many times the control's. */
  readonly perplexityRatio: number;
  /** Share of different runs of three tokens: at least so many times the control's. */
  readonly distinctRatio: number;
  /** Share of a text that lies in its longest repeat: at most so much more than the control's. */
  readonly repeatedShare: number;
}

export const defaultFluencyLimits: FluencyLimits = { perplexityRatio: 1.5, distinctRatio: 0.8, repeatedShare: 0.15 };

/** Which limits texts break, in words; none: they are fluent. */
export function brokenLimits(figures: TextFigures, control: TextFigures, limits: FluencyLimits): readonly string[] {
  const broken: string[] = [];
  if (figures.perplexity === null || control.perplexity === null) {
    broken.push(figures.perplexity === null ? 'nothing was generated' : 'the control generated nothing');
  } else if (figures.perplexity > limits.perplexityRatio * control.perplexity) {
    broken.push(`perplexity ${times(figures.perplexity / control.perplexity)} the control's`);
  }
  const { distinctTrigrams: distinct } = figures;
  if (
    distinct !== null &&
    control.distinctTrigrams !== null &&
    distinct < limits.distinctRatio * control.distinctTrigrams
  )
    broken.push(`distinct trigrams ${times(distinct / control.distinctTrigrams)} the control's`);
  const more = figures.repeatedShare - control.repeatedShare;
  if (more > limits.repeatedShare) broken.push(`${(100 * more).toFixed(0)} % more of a text in its longest repeat`);
  return broken;
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} times`;
}
