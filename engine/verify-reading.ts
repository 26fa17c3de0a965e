import type { Edit } from './core/edit.ts';
import type { EditReading } from './core/edit-reading.ts';
import { TillerError } from './core/errors.ts';

/**
 * Holds what an edit reports against what it was asked to do. Throws `edit_not_applicable` when, at a token that the mask
 * names, anything it read or wrote is not finite; and `step_failed` when it wrote where the mask does not name a token, or
 * left a named one alone without being a sink or inactive: text that is steered otherwise than asked is never passed on.
 *
 * @param start position of the first token
 * @param param where the edit stands in the request
 */
export function verifyReading(
  edit: Edit,
  mask: Float32Array,
  reading: EditReading,
  start: number,
  param: () => string,
): void {
  if (reading.tokens !== mask.length) {
    throw new TillerError('step_failed', `The step returned readings for another number of tokens: ${param()}.`);
  }
  const where = (at: number) => `${param()} at ${edit.hookPoint}, position ${start + at}`;
  // the graph compared with the float32 parameter
  const activeAbove = Math.fround(edit.activeAbove);
  for (let at = 0; at < mask.length; at++) {
    const written = reading.gate(at) !== 0;
    if (mask[at] === 0) {
      if (written)
        throw new TillerError('step_failed', `The step wrote outside the positions asked for: ${where(at)}.`);
      continue;
    }
    if (!isFiniteAt(reading, at)) {
      throw new TillerError(
        'edit_not_applicable',
        `An edit read or wrote something that is not a finite number: ${where(at)}. Use a smaller number.`,
        { param: param() },
      );
    }
    const active = reading.readingBefore(at) > activeAbove;
    if (written && !active) {
      throw new TillerError('step_failed', `The step wrote where the feature is not active: ${where(at)}.`);
    }
    if (active && !written && reading.sink(at) === 0) {
      throw new TillerError('step_failed', `The step left out an edit that should have been applied: ${where(at)}.`);
    }
  }
}

function isFiniteAt(reading: EditReading, at: number): boolean {
  return (
    Number.isFinite(reading.gate(at)) &&
    Number.isFinite(reading.coefficient(at)) &&
    Number.isFinite(reading.readingBefore(at)) &&
    Number.isFinite(reading.readingAfter(at)) &&
    Number.isFinite(reading.streamNorm(at))
  );
}
