import { brokenLimits, type FluencyLimits } from './fluency.ts';
import { type ScoredText, type Spread, spreadOf } from './scored-text.ts';
import { figuresOf, type TextFigures } from './text-figures.ts';

/** The texts of one strength. */
export interface DoseTexts {
  readonly strength: number;
  readonly texts: readonly ScoredText[];
}

/** What one strength did to one target. */
export interface TargetEffect extends Spread {
  /** Mean less the control's; null where either has none. */
  readonly change: number | null;
  /** Standard error of that change (Welch); null for fewer than two texts of either. */
  readonly standardError: number | null;
  /** The change in standard deviations of the control's texts; null where those are all alike. */
  readonly changeInDeviations: number | null;
}

/** One strength: its figures, its effects in the order of the targets, and which limits it breaks. */
export interface DosePoint extends TextFigures {
  readonly strength: number;
  /** Perplexity over the control's. */
  readonly perplexityRatio: number | null;
  readonly effects: readonly TargetEffect[];
  readonly fluent: boolean;
  readonly broken: readonly string[];
}

export interface DoseResponse {
  readonly control: TextFigures & { readonly targets: readonly Spread[] };
  /** By strength, the smallest first. */
  readonly doses: readonly DosePoint[];
  /** The greatest strength that is fluent and so is every weaker one of its sign; null: none is. */
  readonly strongestFluent: number | null;
  /** Of the fluent strengths up to such ones the one that moves the first target most, upwards; null: none does, or there is no target. */
  readonly best: number | null;
}

/**
 * What strengths did, against the unsteered texts of the same run. Throws RangeError without a control. Figures are exact sums of what
 * was measured; nothing is smoothed.
 */
export function doseResponse(
  control: readonly ScoredText[],
  doses: readonly DoseTexts[],
  limits: FluencyLimits,
): DoseResponse {
  const [first] = control;
  if (!first) throw new RangeError('a dose response without a control');
  const figures = figuresOf(control);
  const targets = first.scores.map((_, k) => spreadOf(control.map(({ scores }) => scores[k] ?? null)));
  const points = doses
    .map(({ strength, texts }) => pointOf(strength, texts, { figures, targets, limits }))
    .sort((a, b) => a.strength - b.strength);
  const usable = points.filter((point) => point.strength !== 0 && isReached(point, points));
  const strongest = [...usable].sort((a, b) => Math.abs(b.strength) - Math.abs(a.strength))[0];
  const moved = usable.filter(({ effects: [effect] }) => (effect?.change ?? 0) > 0);
  const best = moved.sort((a, b) => (b.effects[0]?.change ?? 0) - (a.effects[0]?.change ?? 0))[0];
  return {
    control: { ...figures, targets },
    doses: points,
    strongestFluent: strongest?.strength ?? null,
    best: best?.strength ?? null,
  };
}

interface Against {
  readonly figures: TextFigures;
  readonly targets: readonly Spread[];
  readonly limits: FluencyLimits;
}

function pointOf(strength: number, texts: readonly ScoredText[], against: Against): DosePoint {
  const figures = figuresOf(texts);
  const broken = brokenLimits(figures, against.figures, against.limits);
  const { perplexity } = figures;
  const plain = against.figures.perplexity;
  return {
    ...figures,
    strength,
    perplexityRatio: perplexity === null || plain === null ? null : perplexity / plain,
    effects: against.targets.map((usual, k) => effectOf(spreadOf(texts.map(({ scores }) => scores[k] ?? null)), usual)),
    fluent: broken.length === 0,
    broken,
  };
}

function effectOf(spread: Spread, control: Spread): TargetEffect {
  const change = spread.mean === null || control.mean === null ? null : spread.mean - control.mean;
  const variances = [spread, control].map(({ deviation, count }) =>
    deviation === null ? null : deviation ** 2 / count,
  );
  const [own = null, its = null] = variances;
  return {
    ...spread,
    change,
    standardError: own === null || its === null ? null : Math.sqrt(own + its),
    changeInDeviations: change === null || !control.deviation ? null : change / control.deviation,
  };
}

/** Whether it and every weaker strength of its sign are fluent: a stronger one may look fluent by accident. */
function isReached(point: DosePoint, points: readonly DosePoint[]): boolean {
  return points
    .filter(({ strength }) => Math.sign(strength) === Math.sign(point.strength))
    .filter(({ strength }) => Math.abs(strength) <= Math.abs(point.strength))
    .every(({ fluent }) => fluent);
}
