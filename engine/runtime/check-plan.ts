import { type StepPlan, TillerError } from '../core/index.ts';

/** What the memory of an executor has room for. */
export interface PlanLimits {
  readonly slots: number;
  readonly context: number;
  readonly maxChunk: number;
}

/**
 * Checks what native code relies on and does not check itself: a step that does not fit would write beyond the cache or the
 * logits. Throws `step_failed`; a plan that fails here is a mistake in the scheduler, not in the request.
 */
export function checkPlan({ kind, rows }: StepPlan, { slots, context, maxChunk }: PlanLimits): void {
  const first = rows[0];
  if (!first) return refuse('it has no rows');
  if (kind === 'prefill' && rows.length > 1) refuse('several rows prefill');
  const longest = kind === 'decode' ? 1 : maxChunk;
  for (const [r, { slot, start, tokens, edits }] of rows.entries()) {
    const count = tokens.length;
    if (slot !== first.slot + r) refuse('its slots do not follow each other');
    if (!(slot >= 0 && slot < slots)) refuse(`slot ${slot} is not one of ${slots}`);
    if (!(count >= 1 && count <= longest)) refuse(`it has ${count} tokens a row; a ${kind} step takes 1 to ${longest}`);
    if (!(start >= 0 && start + count <= context)) refuse(`it ends at position ${start + count} of ${context}`);
    if (edits.some(({ mask }) => mask.length !== count)) refuse('a mask of an edit is not as long as its tokens');
  }
}

function refuse(reason: string): never {
  throw new TillerError('step_failed', `The step cannot be run: ${reason}.`);
}
