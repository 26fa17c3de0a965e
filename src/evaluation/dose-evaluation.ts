import { TillerError } from '../../engine/index.ts';
import type {
  DoseEvaluation,
  DoseRequest,
  EditRequest,
  EvaluationPrompt,
  ResolvedSteering,
} from '../../routes/services.ts';
import { type DoseTexts, doseResponse } from '../../sae-registry/index.ts';
import type { EvaluationContext } from './context.ts';
import { checkRuns } from './run-limits.ts';
import { scorersOf } from './scorers.ts';
import { type RunResult, steeredTexts, type TextRun } from './steered-texts.ts';

/** `EvaluationService.doseResponse`: the control first, then every strength; then strengths between the last fluent one and the next. */
export async function evaluateDoses(request: DoseRequest, context: EvaluationContext): Promise<DoseEvaluation> {
  const { prompts, seeds, edits, strengths, limits, refine } = request;
  refuseNothing(request);
  checkRuns(request, 1 + strengths.length + refine, context.card);
  const promptLengths = lengthsOf(prompts);
  const resolve = (strength: number | null): ResolvedSteering => {
    const scaled = strength === null ? [] : edits.map((edit) => scaledEdit(edit, strength));
    return context.resolveSteering({ edits: scaled }, promptLengths);
  };
  // everything is looked up before anything is generated
  const scorers = scorersOf(request.targets, context);
  const steerings: Dose[] = strengths.map((strength) => ({ strength, steering: resolve(strength) }));
  const results = new Map<number | null, RunResult[]>();
  const measure = async (doses: readonly Dose[]) => {
    const ofSteering = new Map(doses.map(({ strength, steering }) => [steering, strength]));
    const runs = doses.flatMap(({ steering }) => textRuns(steering, prompts.length, seeds));
    for await (const result of steeredTexts(runs, { ...request, scorers }, context)) {
      const strength = ofSteering.get(result.run.steering) ?? null;
      results.set(strength, [...(results.get(strength) ?? []), result]);
    }
  };
  const summary = () => {
    const scored = (strength: number | null) => (results.get(strength) ?? []).map((result) => result.scored);
    const measured: DoseTexts[] = [...results.keys()].flatMap((strength) =>
      strength === null ? [] : [{ strength, texts: scored(strength) }],
    );
    return doseResponse(scored(null), measured, limits);
  };
  await measure([{ strength: null, steering: resolve(null) }, ...steerings]);
  for (let round = 0; round < refine; round++) {
    const next = between(summary());
    if (next === null || results.has(next)) break;
    await measure([{ strength: next, steering: resolve(next) }]);
  }
  const { control, doses, strongestFluent, best } = summary();
  const samples = (strength: number | null) => (results.get(strength) ?? []).map(({ shown }) => shown);
  return {
    control: { ...control, samples: samples(null) },
    doses: doses.map((dose) => ({ ...dose, samples: samples(dose.strength) })),
    strongestFluent,
    best,
  };
}

interface Dose {
  /** Null: the unsteered control. */
  readonly strength: number | null;
  readonly steering: ResolvedSteering;
}

/** What steering is checked against. */
export function lengthsOf(prompts: readonly EvaluationPrompt[]): {
  readonly shortest: number;
  readonly longest: number;
} {
  const lengths = prompts.map(({ tokenIds }) => tokenIds.length);
  return { shortest: Math.min(...lengths), longest: Math.max(...lengths) };
}

/** Every prompt with every seed. */
export function textRuns(steering: ResolvedSteering, prompts: number, seeds: readonly number[]): TextRun[] {
  return Array.from({ length: prompts }, (_, prompt) => prompt).flatMap((prompt) =>
    seeds.map((seed) => ({ steering, prompt, seed })),
  );
}

/** The edit with its number times a strength; one without a number stays as it is. */
export function scaledEdit(edit: EditRequest, strength: number): EditRequest {
  return edit.number === null ? edit : { ...edit, number: edit.number * strength };
}

/** Half way from the strongest fluent strength to the next of its sign, which is not; from 0 where none is fluent; null where there is none. */
function between({ doses, strongestFluent }: ReturnType<typeof doseResponse>): number | null {
  const weakest = doses.map(({ strength }) => strength).filter((strength) => strength !== 0);
  const sign = Math.sign(strongestFluent ?? weakest.sort((a, b) => Math.abs(a) - Math.abs(b))[0] ?? 0);
  const from = strongestFluent ?? 0;
  const beyond = doses
    .filter(({ strength }) => Math.sign(strength) === sign && Math.abs(strength) > Math.abs(from))
    .map(({ strength }) => strength)
    .sort((a, b) => Math.abs(a) - Math.abs(b))[0];
  return beyond === undefined ? null : Number(((from + beyond) / 2).toPrecision(4));
}

function refuseNothing({ edits, strengths }: DoseRequest): void {
  if (edits.every(({ number }) => number === null)) {
    const message = 'No edit has a number that a strength could multiply (ablate has none): evaluate another mode.';
    throw new TillerError('invalid_request', message, { param: 'edits' });
  }
  const twice = strengths.findIndex((strength, at) => strengths.indexOf(strength) < at);
  if (twice < 0) return;
  throw new TillerError('invalid_request', `Strength ${strengths[twice]} stands twice.`, {
    param: `strengths[${twice}]`,
  });
}
