import { TillerError } from '../core/errors.ts';
import { admit } from './admission.ts';
import type { RowSnapshot, SchedulerSnapshot } from './invariants.ts';
import { chooseNextPrefill, chooseStep } from './policy.ts';
import { WaitingQueue, type WaitingRequest } from './queue.ts';
import { compact, type SlotRow, type SlotStore } from './slots.ts';

/** A step as the scheduler sees it: who, where and how many tokens. engine.ts adds tokens and edits (core `StepPlan`). */
export interface ScheduledStep {
  readonly kind: 'prefill' | 'decode';
  readonly rows: readonly ScheduledRow[];
}

export interface ScheduledRow {
  readonly requestId: string;
  readonly slot: number;
  /** Position of the first input token; the number of tokens already in the slot. */
  readonly start: number;
  /** Input tokens of this step. */
  readonly count: number;
}

/** What became of a row in a step: it goes on, its reply is complete, or it failed. */
export type RowOutcome = 'continue' | 'finished' | 'failed';

/** A row that could not be moved and was given up. */
export interface LostRow {
  readonly requestId: string;
  readonly error: unknown;
}

export interface SchedulerOptions {
  readonly slots: number;
  readonly context: number;
  readonly maxChunk: number;
  /** Requests that may wait beyond those that have a slot. */
  readonly queueLimit: number;
  readonly store: SlotStore;
}

interface Row extends SlotRow {
  readonly promptLength: number;
  readonly maxTokens: number;
  leaving: boolean;
}

/** Finishes remembered for the Retry-After estimate. */
const rememberedFinishes = 16;

/**
 * Continuous batching: which request is in which slot, and what runs next. Knows nothing of text, sampling or steering.
 *
 * A step is a transaction: `plan`, run it elsewhere, `commit`. Between the two nothing moves: an aborted row only stops
 * counting, and its slot is given back at commit.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #queue = new WaitingQueue();
  readonly #arrivals = new Map<string, number>();
  #arrival = 0;
  #prefilling: Row | null = null;
  #running: Row[] = [];
  #inFlight: ScheduledStep | null = null;
  #previous: ScheduledStep['kind'] | null = null;
  #recentFinishes: number[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Requests inside: waiting, prefilling and running. */
  get inside(): number {
    return this.#queue.length + this.#rows().length;
  }

  /** Admits and queues a request; throws what admission.ts `admit` throws, and `invalid_request` for an id in use. */
  enqueue(request: WaitingRequest, now: number): void {
    if (this.#arrivals.has(request.requestId)) {
      throw new TillerError('invalid_request', `A request with id '${request.requestId}' is already here.`);
    }
    const { context, slots, queueLimit } = this.#options;
    admit(request, { context, slots, queueLimit, inside: this.inside, recentFinishes: this.#recentFinishes, now });
    this.#arrivals.set(request.requestId, this.#arrival++);
    this.#queue.add(request);
  }

  /** The request's graph variant is built; it may be prefilled. */
  markReady(requestId: string): void {
    this.#queue.markReady(requestId);
  }

  /**
   * The next step, or null when there is nothing to run. Rows aborted since the last step leave first; what was lost in
   * closing up after them is in `lost`.
   */
  plan(): { readonly step: ScheduledStep | null; readonly lost: readonly LostRow[] } {
    if (this.#inFlight) throw new Error('a step is planned while another runs');
    const lost = this.#settle();
    this.#startPrefill();
    const prefilling = this.#prefilling;
    const choice = chooseStep({
      prefillTokensLeft: prefilling ? prefilling.promptLength - prefilling.tokens : null,
      decodeRows: this.#running.length,
      previous: this.#previous,
      maxChunk: this.#options.maxChunk,
    });
    if (choice.kind === 'idle') return { step: null, lost };
    const rows =
      choice.kind === 'prefill' && prefilling
        ? [scheduled(prefilling, choice.tokens)]
        : this.#running.map((row) => scheduled(row, 1));
    this.#inFlight = { kind: choice.kind, rows };
    return { step: this.#inFlight, lost };
  }

  /** Ends the step in flight. Rows that `outcomes` does not name failed. */
  commit(outcomes: ReadonlyMap<string, RowOutcome>, now: number): readonly LostRow[] {
    const step = this.#inFlight;
    if (!step) throw new Error('no step to commit');
    this.#inFlight = null;
    this.#previous = step.kind;
    for (const { requestId, count } of step.rows) {
      const row = this.#rows().find((candidate) => candidate.requestId === requestId);
      if (!row) continue;
      row.tokens += count;
      const outcome = outcomes.get(requestId) ?? 'failed';
      if (outcome === 'finished') this.#recentFinishes = [...this.#recentFinishes, now].slice(-rememberedFinishes);
      if (outcome !== 'continue') row.leaving = true;
    }
    this.#promote();
    return this.#settle();
  }

  /** The request leaves: at once when it waits, after the step in flight when it has a slot. False when it is not here. */
  abort(requestId: string): boolean {
    if (this.#queue.take(requestId)) {
      this.#arrivals.delete(requestId);
      return true;
    }
    const row = this.#rows().find((candidate) => candidate.requestId === requestId);
    if (!row || row.leaving) return false;
    row.leaving = true;
    return true;
  }

  snapshot(): SchedulerSnapshot {
    const { slots, context, queueLimit } = this.#options;
    return {
      slots,
      context,
      queueLimit,
      stepInFlight: this.#inFlight !== null,
      waiting: this.#queue
        .list()
        .map(({ requestId }) => ({ requestId, arrival: this.#arrivals.get(requestId) ?? Number.NaN })),
      prefilling: this.#prefilling && rowSnapshot(this.#prefilling),
      running: this.#running.map(rowSnapshot),
    };
  }

  #rows(): Row[] {
    return this.#prefilling ? [...this.#running, this.#prefilling] : [...this.#running];
  }

  /** The prefilling row joins the decoding ones once its prompt is read; `#settle` moves it into their range. */
  #promote(): void {
    const row = this.#prefilling;
    if (!row || row.leaving || row.tokens < row.promptLength) return;
    this.#running.push(row);
    this.#prefilling = null;
  }

  /** Lets leaving rows go and closes up. Slots are freed last, since a copy may just have filled one of them. */
  #settle(): LostRow[] {
    const before = new Set(this.#rows().map((row) => row.slot));
    for (const row of this.#rows()) if (row.leaving) this.#arrivals.delete(row.requestId);
    if (this.#prefilling?.leaving) this.#prefilling = null;
    const stay = this.#running.filter((row) => !row.leaving);
    const { rows, failed } = compact(stay, this.#options.store);
    this.#running = rows;
    const after = new Set(this.#rows().map((row) => row.slot));
    for (const slot of before) if (!after.has(slot)) this.#options.store.freeSlot(slot);
    for (const { row } of failed) this.#arrivals.delete(row.requestId);
    return failed.map(({ row, error }) => ({ requestId: row.requestId, error }));
  }

  #startPrefill(): void {
    const requestId = chooseNextPrefill({
      waiting: this.#queue.list(),
      prefilling: this.#prefilling !== null,
      freeSlots: this.#options.slots - this.#running.length,
    });
    const request = requestId === null ? null : this.#queue.take(requestId);
    if (!request) return;
    const { promptLength, maxTokens } = request;
    this.#prefilling = {
      requestId: request.requestId,
      promptLength,
      maxTokens,
      slot: this.#running.length,
      tokens: 0,
      leaving: false,
    };
  }
}

function scheduled({ requestId, slot, tokens }: Row, count: number): ScheduledRow {
  return { requestId, slot, start: tokens, count };
}

function rowSnapshot({ requestId, slot, tokens, promptLength, maxTokens, leaving }: Row): RowSnapshot {
  return { requestId, slot, tokens, promptLength, maxTokens, leaving };
}
