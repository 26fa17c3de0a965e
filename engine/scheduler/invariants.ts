/**
 * What must hold of a scheduler between steps, as a pure check over a snapshot. Tests run it after every step, the engine
 * when it goes idle and every so many steps.
 */
import type { StepKind } from '../core/step.ts';

export interface RowSnapshot {
  readonly requestId: string;
  readonly arrival: number;
  readonly slot: number;
  /** Tokens in the slot. */
  readonly tokens: number;
  /** Tokens to have there before it decodes. */
  readonly target: number;
  readonly promptLength: number;
  readonly maxTokens: number;
  /** Cancelled, failed or finished; its slot is given back before the next step is planned. */
  readonly leaving: boolean;
}

export interface SchedulerSnapshot {
  /** Most rows. There is one slot more. */
  readonly slots: number;
  readonly context: number;
  readonly queueLimit: number;
  readonly keyValueTokenLimit: number;
  /** Tokens that the prefix cache holds. */
  readonly prefixTokens: number;
  /** Kind of the step that runs now. */
  readonly stepInFlight: StepKind | null;
  /** Whether rows that decode may hold any slots. */
  readonly ragged?: boolean;
  /** In the order they came. */
  readonly waiting: readonly WaitingSnapshot[];
  readonly prefilling: readonly RowSnapshot[];
  readonly decoding: readonly RowSnapshot[];
}

export interface WaitingSnapshot {
  readonly requestId: string;
  readonly arrival: number;
  readonly ready: boolean;
}

/** Every violation, in words; empty when all is well. */
export function findViolations(snapshot: SchedulerSnapshot): string[] {
  return [...slotViolations(snapshot), ...rowViolations(snapshot), ...queueViolations(snapshot)];
}

function slotViolations({ decoding, prefilling, slots, stepInFlight, ragged }: SchedulerSnapshot): string[] {
  const found: string[] = [];
  const rows = [...decoding, ...prefilling];
  const holders = new Map<number, string>();
  for (const { requestId, slot, leaving } of rows) {
    const other = holders.get(slot);
    if (other !== undefined) found.push(`${requestId} and ${other} hold slot ${slot}`);
    holders.set(slot, requestId);
    if (!(slot >= 0 && slot <= slots)) found.push(`${requestId} holds slot ${slot} of ${slots} and one more`);
    if (leaving && stepInFlight === null) found.push(`${requestId} left but still holds slot ${slot}`);
  }
  if (rows.length > slots) found.push(`${rows.length} rows, ${slots} allowed`);
  if (stepInFlight === 'decode' && !ragged) {
    decoding.forEach((row, index) => {
      if (row.slot !== index) found.push(`decoding row ${index} (${row.requestId}) holds slot ${row.slot}`);
    });
  }
  return found;
}

function rowViolations(snapshot: SchedulerSnapshot): string[] {
  const { decoding, prefilling, context, keyValueTokenLimit, prefixTokens } = snapshot;
  const found: string[] = [];
  for (const { requestId, tokens, promptLength, maxTokens, leaving } of decoding) {
    // the newest token is not in the cache yet: it is the next step's input
    const generated = tokens - promptLength + 1;
    if (!leaving && (generated < 1 || generated >= maxTokens)) {
      found.push(`${requestId} decodes with ${generated} of ${maxTokens} tokens generated`);
    }
  }
  for (const { requestId, tokens, target, promptLength, leaving } of prefilling) {
    if (!leaving && !(tokens >= 0 && tokens < target && target >= promptLength)) {
      found.push(`${requestId} prefills with ${tokens} of ${target} tokens read`);
    }
  }
  const rows = [...decoding, ...prefilling];
  for (const { requestId, promptLength, maxTokens } of rows) {
    if (promptLength + maxTokens > Math.min(context, keyValueTokenLimit)) found.push(`${requestId} does not fit`);
  }
  const held = rows.reduce((sum, row) => sum + row.tokens, prefixTokens);
  if (held > keyValueTokenLimit) found.push(`${held} tokens held, ${keyValueTokenLimit} allowed`);
  return found;
}

function queueViolations({ waiting, decoding, prefilling, slots, queueLimit }: SchedulerSnapshot): string[] {
  const found: string[] = [];
  const ids = [...waiting, ...decoding, ...prefilling].map((row) => row.requestId);
  if (new Set(ids).size !== ids.length) found.push('a request is in two places');
  if (ids.length > slots + queueLimit) found.push(`${ids.length} requests inside, ${slots + queueLimit} allowed`);
  for (let index = 1; index < waiting.length; index++) {
    if ((waiting[index]?.arrival ?? 0) <= (waiting[index - 1]?.arrival ?? 0)) found.push('the queue is out of order');
  }
  return found;
}
