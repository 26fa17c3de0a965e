import { TillerError } from './core/errors.ts';
import type { Executor, RowResult, RowStep, StepKind, StepPlan } from './core/step.ts';
import type { TurnPace } from './turn-pace.ts';

/**
 * Runs a step. When a batch of several rows fails, each row is run once more alone, so that only rows that fail by
 * themselves are lost; running a row again is safe, since it writes the same cache positions with the same values.
 *
 * @param consume called with each row's result before the next run overwrites its logits
 * @param pace lets the event loop turn between rows: 32 of them can take a dozen milliseconds to sample
 * @returns milliseconds that the executor took, and whether rows were run again
 */
export async function executeStep(
  executor: Executor,
  plan: StepPlan,
  consume: (row: RowStep, result: RowResult | TillerError) => void,
  pace: TurnPace,
): Promise<{ readonly milliseconds: number; readonly retried: boolean }> {
  const began = performance.now();
  const results = await attempt(executor, plan);
  let milliseconds = performance.now() - began;
  if (results instanceof TillerError && plan.rows.length > 1) {
    for (const row of plan.rows) {
      const single = await executeStep(executor, { kind: aloneKind(plan.kind), rows: [row] }, consume, pace);
      milliseconds += single.milliseconds;
    }
    return { milliseconds, retried: true };
  }
  pace.begin();
  for (const [at, row] of plan.rows.entries()) {
    if (pace.isDue()) await pace.turn();
    consume(row, results instanceof TillerError ? results : (results[at] ?? missingResult()));
  }
  return { milliseconds, retried: false };
}

/** What a row of such a step is by itself: one that decodes is a prompt of one token. */
export function aloneKind(kind: StepKind): StepKind {
  return kind === 'mixed' ? 'prefill' : kind;
}

function missingResult(): TillerError {
  return new TillerError('step_failed', 'The step returned no result for this request.');
}

async function attempt(executor: Executor, plan: StepPlan): Promise<readonly RowResult[] | TillerError> {
  try {
    return await executor.run(plan);
  } catch (error) {
    if (error instanceof TillerError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new TillerError('step_failed', `The model could not run this step: ${message}`, { cause: error });
  }
}
