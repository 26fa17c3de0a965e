import type { AutoSteer, AutoSteerCandidate, ContrastAuroc, DosePoint } from '../../routes/services.ts';

/** What counts as an effect: so many standard deviations of the control's texts, and standard errors. */
const leastDeviations = 1;
const leastErrors = 2;

/** Whether a dose moved the first target so far that chance is no explanation. */
export function isEffect({ effects: [effect] }: DosePoint): boolean {
  const { change = null, standardError = null, changeInDeviations = null } = effect ?? {};
  if (change === null || changeInDeviations === null) return false;
  return changeInDeviations >= leastDeviations && change >= leastErrors * (standardError ?? 0);
}

/** What came of it, said plainly. */
export function verdictOf({
  heldOut,
  byModel,
  chosen,
  prompted,
  tried,
}: {
  readonly heldOut: ContrastAuroc;
  readonly byModel: boolean;
  readonly chosen: AutoSteer['chosen'];
  readonly prompted: DosePoint;
  readonly tried: readonly Pick<AutoSteerCandidate, 'evaluation'>[];
}): string {
  const asked = deviations(prompted);
  const byAsking =
    asked === null
      ? 'A system prompt that asks for it could not be compared'
      : `A system prompt that asks for it moves the same score by ${asked}`;
  const comparison = `${byAsking}${prompted.fluent ? '' : ` (not fluent: ${prompted.broken.join(', ')})`}.`;
  const doubt =
    heldOut.auroc < 0.75
      ? ` The replies hardly differ inside the model (held-out AUROC ${heldOut.auroc.toFixed(2)})${byModel ? ': a small model writes poor ones; give pairs' : ''}.`
      : '';
  if (chosen === null) {
    const fluent = tried.some(({ evaluation }) => evaluation !== null && evaluation.strongestFluent !== null);
    const why = fluent
      ? 'no fluent dose moves what is written by one standard deviation beyond chance'
      : 'no dose that was tried stays fluent';
    return `Nothing worked: ${why}.${doubt} ${comparison}`;
  }
  const { dose, strength, candidate } = chosen;
  const cost = dose.perplexityRatio === null ? '' : ` at ${dose.perplexityRatio.toFixed(2)} times the perplexity`;
  return `${candidate} at strength ${strength} moves what is written by ${deviations(dose)}${cost}.${doubt} ${comparison}`;
}

function deviations({ effects: [effect] }: DosePoint): string | null {
  const value = effect?.changeInDeviations ?? null;
  return value === null ? null : `${value.toFixed(1)} standard deviations`;
}
