import { asTillerError, TillerError } from './core/errors.ts';
import type { Executor, RowResult, RowStep } from './core/step.ts';
import { aloneKind, executeStep } from './execute-step.ts';
import type { StepOutcome } from './generation.ts';
import type { Member } from './member.ts';
import type { RowOutcome, ScheduledStep } from './scheduler/scheduled-step.ts';
import type { TurnPace } from './turn-pace.ts';

/** A step that has run and is not committed. */
export interface StagedStep {
  /** What to hand out to each request once the step is committed. */
  readonly staged: ReadonlyMap<string, StepOutcome | TillerError>;
  /** The same for the scheduler; rows whose request has left meanwhile failed. */
  readonly outcomes: ReadonlyMap<string, RowOutcome>;
  /** When its rows were built, on performance.now's clock; what the executor took from there, in milliseconds. */
  readonly builtAt: number;
  readonly runMilliseconds: number;
  /** The batch failed and its rows ran again one by one. */
  readonly retried: boolean;
  /** What it was made of, for whoever watches. */
  readonly counts: StepCounts;
}

export interface StepCounts {
  readonly rows: number;
  readonly steeredRows: number;
  readonly distinctSteerings: number;
  readonly tokens: number;
  readonly editedTokens: number;
}

/**
 * Builds the rows of a step, runs them, and turns results into what to hand out. Touches no state but the requests' own.
 * The event loop may turn between rows, as `pace` has it: whoever leaves `members` meanwhile gets nothing of this step.
 */
export async function runStep(
  executor: Executor,
  step: ScheduledStep,
  members: ReadonlyMap<string, Member>,
  pace: TurnPace,
): Promise<StagedStep> {
  const staged = new Map<string, StepOutcome | TillerError>();
  const rows = buildRows(step, members, staged);
  const counts = countStep(rows, members);
  const consume = (row: RowStep, result: RowResult | TillerError) => {
    const generation = members.get(row.requestId)?.generation;
    if (!generation) return;
    const outcome = result instanceof TillerError ? result : attempt(() => generation.accept(row, result));
    staged.set(row.requestId, outcome);
  };
  // a row that could not be built leaves a hole in the batch: the others run one by one
  const whole = rows.length === step.rows.length;
  const batches = whole ? [rows] : rows.map((row) => [row]);
  const kind = whole ? step.kind : aloneKind(step.kind);
  const builtAt = performance.now();
  let runMilliseconds = 0;
  let retried = false;
  for (const batch of batches) {
    const run = await executeStep(executor, { kind, rows: batch }, consume, pace);
    runMilliseconds += run.milliseconds;
    retried ||= run.retried;
  }
  const outcomes = new Map<string, RowOutcome>();
  for (const [id, outcome] of staged) outcomes.set(id, members.has(id) ? outcomeOf(outcome) : 'failed');
  return { staged, outcomes, builtAt, runMilliseconds, retried, counts };
}

/** Rows of the step with their tokens and edits; what cannot be built goes to `staged` as a failure. */
function buildRows(
  step: ScheduledStep,
  members: ReadonlyMap<string, Member>,
  staged: Map<string, StepOutcome | TillerError>,
): RowStep[] {
  const rows: RowStep[] = [];
  for (const row of step.rows) {
    const generation = members.get(row.requestId)?.generation;
    if (!generation) continue;
    const built = attempt(() => generation.rowStep(row));
    if (built instanceof TillerError) staged.set(row.requestId, built);
    else rows.push(built);
  }
  return rows;
}

function countStep(rows: readonly RowStep[], members: ReadonlyMap<string, Member>): StepCounts {
  const steerings = new Set<string | null>();
  let steeredRows = 0;
  let tokens = 0;
  let editedTokens = 0;
  for (const row of rows) {
    tokens += row.tokens.length;
    const edits = row.edits.filter(({ edit }) => !edit.probe);
    if (edits.length === 0) continue;
    steeredRows++;
    steerings.add(members.get(row.requestId)?.steering ?? null);
    // an edit whose mask is all zero is left out
    if (row.tokens.length === 1) editedTokens += edits.length;
    else for (const { mask } of edits) for (const value of mask) editedTokens += value;
  }
  return { rows: rows.length, steeredRows, distinctSteerings: steerings.size, tokens, editedTokens };
}

/** What `work` gives, or the failure that it throws, as a value. */
function attempt<Result>(work: () => Result): Result | TillerError {
  try {
    return work();
  } catch (error) {
    return asTillerError(error);
  }
}

function outcomeOf(outcome: StepOutcome | TillerError): RowOutcome {
  if (outcome instanceof TillerError) return 'failed';
  return outcome.finished ? 'finished' : 'continue';
}
