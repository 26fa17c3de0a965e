import { type RowStep, type StepPlan, showsKeys, TillerError } from '../core/index.ts';

/** What the memory of an executor has room for. */
export interface PlanLimits {
  /** Most rows; there is one slot more. */
  readonly slots: number;
  readonly context: number;
  readonly maxChunk: number;
  readonly ragged: boolean;
}

/**
 * Checks what native code relies on and does not check itself: a step that does not fit would write beyond the cache or the
 * logits. Throws `step_failed`; a plan that fails here is a mistake in the scheduler, not in the request.
 */
export function checkPlan({ kind, rows }: StepPlan, limits: PlanLimits): void {
  if (rows.length === 0) refuse('it has no rows');
  if (rows.length > limits.slots) refuse(`it has ${rows.length} rows; ${limits.slots} can be run`);
  if (kind === 'prefill' && rows.length > 1) refuse('several rows prefill');
  if (kind === 'mixed') checkMixed(rows, limits);
  checkSlots(rows, limits);
  checkEntries(rows);
  for (const row of rows) {
    checkRow(row, kind === 'decode' ? 1 : limits.maxChunk, limits);
    if (row.logits === 'never') checkTapsOnly(kind, row);
    checkReplacements(row);
  }
}

function checkSlots(rows: readonly RowStep[], { ragged }: PlanLimits): void {
  const first = rows[0]?.slot ?? 0;
  if (new Set(rows.map(({ slot }) => slot)).size < rows.length) refuse('two of its rows have the same slot');
  if (!ragged && rows.some(({ slot }, r) => slot !== first + r)) refuse('its slots do not follow each other');
}

function checkMixed(rows: readonly RowStep[], { ragged, slots, maxChunk }: PlanLimits): void {
  if (!ragged) refuse('rows that decode and a prompt share it, which these operators cannot do');
  if (rows.some(({ taps }) => taps.some(showsKeys))) refuse('it is mixed and has taps that show keys');
  const tokens = rows.reduce((sum, row) => sum + row.tokens.length, 0);
  if (tokens > slots + maxChunk) refuse(`it has ${tokens} tokens; ${slots + maxChunk} can be run`);
}

function checkRow(
  { slot, start, tokens, edits, logits, chosen }: RowStep,
  longest: number,
  { slots, context }: PlanLimits,
): void {
  const count = tokens.length;
  if (slot < 0 || slot > slots) refuse(`slot ${slot} is not one of ${slots + 1}`);
  if (count < 1 || count > longest) refuse(`a row has ${count} tokens; 1 to ${longest} can be run`);
  if (start < 0 || start + count > context) refuse(`it ends at position ${start + count} of ${context}`);
  if (logits === 'chosen' && chosen?.length !== count)
    refuse('what names the tokens of its logits is not as long as they');
  if (edits.some(({ mask }) => mask.length !== count)) refuse('the mask of an edit is not as long as its tokens');
}

function checkReplacements({ replacements = [], tokens }: RowStep): void {
  for (const { values, mask } of replacements) {
    const fits = mask.length === tokens.length && values.length % tokens.length === 0;
    if (!fits) refuse('what stands in for values is not as long as its tokens');
  }
}

function checkEntries(rows: readonly RowStep[]): void {
  const blocks = new Set(rows.map(({ entry }) => entry?.block ?? 0));
  if (blocks.size > 1) refuse(`its rows begin at different blocks, ${[...blocks].join(' and ')}`);
  for (const { entry, tokens, logits } of rows) {
    if (entry && logits === 'never') refuse('a row that begins inside the model wants no logits');
    if (entry && entry.stream.length % tokens.length !== 0) refuse('what enters a block is not as long as its tokens');
  }
}

function checkTapsOnly(kind: StepPlan['kind'], { taps, encodings = [] }: RowStep): void {
  if (kind === 'decode') refuse('a row that decodes never wants logits');
  if (taps.length + encodings.length === 0) refuse('a row wants neither logits nor taps nor encodings');
}

function refuse(reason: string): never {
  throw new TillerError('step_failed', `The step cannot be run: ${reason}.`);
}
