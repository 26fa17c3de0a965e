import { TillerError } from '../../engine/index.ts';
import type { EditRequest, Sweep, SweepRequest, SweepRow, SweptSteering } from '../../routes/services.ts';
import { formatSavedName } from '../../sae-registry/index.ts';
import { toWireEdit } from '../wire-edit.ts';
import type { EvaluationContext } from './context.ts';
import { lengthsOf, scaledEdit, textRuns } from './dose-evaluation.ts';
import { checkRuns } from './run-limits.ts';
import { scorersOf } from './scorers.ts';
import { steeredTexts, type TextRun } from './steered-texts.ts';

/** One run, known by its key. */
interface SweepRun extends TextRun, Pick<SweepRow, 'key' | 'steered' | 'edits'> {}

/** `EvaluationService.sweep`: everything is looked up and counted before the first run. */
export function sweepOf(request: SweepRequest, context: EvaluationContext): Sweep {
  const { prompts, seeds, strengths, steerings, control, done = new Set<string>() } = request;
  refuseTwice(steerings, strengths);
  const estimate = checkRuns(request, steerings.length * strengths.length + Number(control), context.card);
  const promptLengths = lengthsOf(prompts);
  const scorers = scorersOf(request.targets, context);
  const runsOf = (steered: SweepRow['steered'], edits: readonly EditRequest[]): SweepRun[] => {
    const steering = context.resolveSteering({ edits }, promptLengths);
    const wire = edits.map(toWireEdit);
    const name = steered === null ? 'control' : `${steered.name}@${steered.strength}`;
    return textRuns(steering, prompts.length, seeds).map((run) => ({
      ...run,
      key: `${name}/prompt-${run.prompt}/seed-${run.seed}`,
      steered,
      edits: wire,
    }));
  };
  const runs = [
    ...(control ? runsOf(null, []) : []),
    ...steerings.flatMap(({ name, edits }) => {
      const pinned = edits.map((edit) => withVersion(edit, context));
      return strengths.flatMap((strength) =>
        runsOf(
          { name, strength },
          pinned.map((edit) => scaledEdit(edit, strength)),
        ),
      );
    }),
  ].filter(({ key }) => !done.has(key));
  return { estimate, rows: rowsOf(runs, { ...request, scorers }, context) };
}

async function* rowsOf(
  runs: readonly SweepRun[],
  shared: Parameters<typeof steeredTexts>[1],
  context: EvaluationContext,
): AsyncGenerator<SweepRow> {
  let at = 0;
  for await (const { shown } of steeredTexts(runs, shared, context)) {
    const { key, steered, edits } = runs[at++] as SweepRun;
    yield { key, steered, edits, ...shown };
  }
}

/** A saved vector by its version: a sweep that is repeated means the same one. */
function withVersion(edit: EditRequest, { card, saved }: EvaluationContext): EditRequest {
  if (typeof edit.vector !== 'string') return edit;
  return { ...edit, vector: formatSavedName(saved.vector(card.id, edit.vector, `${edit.param}.vector`)) };
}

function refuseTwice(steerings: readonly SweptSteering[], strengths: readonly number[]): void {
  const names = steerings.map(({ name }) => name);
  const steering = names.findIndex((name, at) => names.indexOf(name) < at);
  const strength = strengths.findIndex((value, at) => strengths.indexOf(value) < at);
  if (steering < 0 && strength < 0) return;
  const message =
    steering < 0 ? `Strength ${strengths[strength]} stands twice.` : `Two steerings are called '${names[steering]}'.`;
  throw new TillerError('invalid_request', message, {
    param: steering < 0 ? `strengths[${strength}]` : `steerings[${steering}].name`,
  });
}
