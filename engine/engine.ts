import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine } from './core/engine.ts';
import type { EngineEvent, EngineObserver, EngineStatistics } from './core/engine-events.ts';
import { asTillerError, TillerError } from './core/errors.ts';
import type { GenerateRequest, GenerationEvent } from './core/request.ts';
import type { Executor, RowResult, RowStep } from './core/step.ts';
import type { Tokenizer } from './core/tokenizer.ts';
import { EventQueue } from './event-queue.ts';
import { executeStep } from './execute-step.ts';
import { Generation, type StepOutcome } from './generation.ts';
import type { SchedulerSnapshot } from './scheduler/invariants.ts';
import { type LostRow, type RowOutcome, type ScheduledStep, Scheduler } from './scheduler/scheduler.ts';
import { validateRequest } from './validate-request.ts';
import { callerEnding, longestTimer, watchCaller } from './watch-caller.ts';

export interface EngineOptions {
  /** Closed with the engine. */
  readonly executor: Executor;
  readonly tokenizer: Tokenizer;
  /** Tokens with which the model ends a reply. */
  readonly eosTokenIds: readonly number[];
  /** Requests that may wait beyond those that have a slot. */
  readonly queueLimit: number;
  readonly observer?: EngineObserver;
  /** Milliseconds since the epoch, for deadlines. */
  readonly now?: () => number;
  /** Sees the scheduler after every step; tests check its invariants there. */
  readonly inspect?: (snapshot: SchedulerSnapshot) => void;
}

/** Continuous batching over one executor; core/engine.ts `Engine` says what it promises. */
export function createEngine(options: EngineOptions): Engine {
  return new BatchingEngine(options);
}

type Outcome = Extract<EngineEvent, { type: 'finished' }>['outcome'];

/** A request inside, with what ties it to its caller. */
interface Member {
  readonly generation: Generation;
  readonly events: EventQueue<GenerationEvent>;
  readonly submittedAt: number;
  /** Lets go of the caller's signal and the timer. */
  release: () => void;
}

class BatchingEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #executor: Executor;
  readonly #scheduler: Scheduler;
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #members = new Map<string, Member>();
  readonly #preparing = new Set<Promise<void>>();
  readonly #emptied: (() => void)[] = [];
  /** The loop while it runs. */
  #loop: Promise<void> | null = null;
  #wanted = false;
  #draining = false;
  #warned = false;
  /** Why the loop ended for good; it should never. */
  #broken: TillerError | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: EngineOptions) {
    const { executor, queueLimit, eosTokenIds } = options;
    this.#options = options;
    this.#executor = executor;
    this.#eosTokenIds = new Set(eosTokenIds);
    const { slots, context, maxChunk } = executor;
    this.#scheduler = new Scheduler({ slots, context, maxChunk, queueLimit, store: executor });
  }

  submit(request: GenerateRequest): AsyncIterable<GenerationEvent> {
    if (this.#broken) throw this.#broken;
    if (this.#draining) throw new TillerError('draining', 'The service is shutting down and takes no new requests.');
    const { tokenizer } = this.#options;
    validateRequest(request, tokenizer.vocabularySize);
    const ending = callerEnding(request, this.#now());
    if (ending) throw ending.error;
    const { id } = request;
    const generation = new Generation(request, tokenizer, this.#eosTokenIds);
    const sites = [...new Set(request.edits.map((edit) => edit.hookPoint))];
    const ready = sites.length === 0;
    const { promptTokenIds, stop } = request;
    this.#scheduler.enqueue(
      { requestId: id, promptLength: promptTokenIds.length, maxTokens: stop.maxTokens, ready },
      performance.now(),
    );
    const events = new EventQueue<GenerationEvent>(() => this.#end(id, 'cancelled', null));
    const member: Member = { generation, events, submittedAt: performance.now(), release: () => {} };
    this.#members.set(id, member);
    member.release = watchCaller(
      request,
      () => this.#now(),
      () => this.#look(member),
    );
    this.#emit({ type: 'queued', requestId: id });
    if (!ready) this.#prepare(member, sites);
    this.#wake();
    return events;
  }

  statistics(): EngineStatistics {
    const { waiting, running, prefilling, slots, context, queueLimit } = this.#scheduler.snapshot();
    const rows = prefilling ? [...running, prefilling] : running;
    return {
      running: rows.length,
      waiting: waiting.length,
      slots,
      context,
      keyValueTokens: rows.reduce((sum, row) => sum + row.tokens, 0),
      queueLimit,
      draining: this.#draining,
    };
  }

  async drain(deadlineMilliseconds: number): Promise<void> {
    this.#draining = true;
    if (this.#members.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(Math.max(0, deadlineMilliseconds), longestTimer));
        this.#emptied.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    await this.#cancelAll('The service shut down before this reply was complete.');
  }

  close(): Promise<void> {
    this.#draining = true;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#cancelAll('The model was unloaded before this reply was complete.');
    await Promise.all(this.#preparing);
    await this.#executor.close();
  }

  /** Ends every request and waits for the step in flight. */
  async #cancelAll(reason: string): Promise<void> {
    for (const id of [...this.#members.keys()]) this.#end(id, 'cancelled', new TillerError('draining', reason));
    while (this.#loop) await this.#loop;
  }

  /** Ends the request if its caller no longer wants it or its time is up. */
  #look(member: Member): void {
    const { request } = member.generation;
    const ending = callerEnding(request, this.#now());
    if (ending && this.#members.get(request.id) === member) this.#end(request.id, ending.outcome, ending.error);
  }

  /** Has the graph for these hook points built while others run; the request waits in the queue meanwhile. */
  #prepare(member: Member, sites: readonly string[]): void {
    const { id } = member.generation.request;
    const here = () => this.#members.get(id) === member;
    const preparing: Promise<void> = Promise.resolve()
      .then(() => this.#executor.prepare({ edits: sites, taps: [] }))
      .then(
        () => {
          if (here()) this.#scheduler.markReady(id);
          this.#wake();
        },
        (error) => {
          if (here()) this.#end(id, 'error', asTillerError(error, 'step_failed'));
        },
      )
      .finally(() => this.#preparing.delete(preparing));
    this.#preparing.add(preparing);
  }

  /** Starts the loop, or has it look again before it ends. */
  #wake(): void {
    this.#wanted = true;
    if (!this.#broken) this.#loop ??= this.#run();
  }

  /** Runs steps while there is work. Each turn yields to the event loop, where requests join and leave. */
  async #run(): Promise<void> {
    try {
      do {
        this.#wanted = false;
        await nextTurn();
        for (const member of [...this.#members.values()]) this.#look(member);
        const { step, lost } = this.#scheduler.plan();
        this.#lose(lost);
        if (!step) continue;
        this.#wanted = true;
        await this.#step(step);
      } while (this.#wanted);
    } catch (error) {
      this.#broken = asTillerError(error);
      for (const id of [...this.#members.keys()]) this.#end(id, 'error', this.#broken);
    } finally {
      // in the same turn as the last look at #wanted, so that no wake is lost
      this.#loop = null;
    }
  }

  /** One transaction: build, run, stage; commit; only then hand out. */
  async #step(step: ScheduledStep): Promise<void> {
    const began = performance.now();
    const staged = new Map<string, StepOutcome | TillerError>();
    const rows = this.#rowSteps(step, staged);
    const consume = (row: RowStep, result: RowResult | TillerError) => {
      const member = this.#members.get(row.requestId);
      if (!member) return;
      staged.set(
        row.requestId,
        result instanceof TillerError ? result : attempt(() => member.generation.accept(row, result)),
      );
    };
    // a row that could not be built leaves a hole in the batch: the others run one by one
    const batches = rows.length === step.rows.length ? [rows] : rows.map((row) => [row]);
    for (const batch of batches) await executeStep(this.#executor, { kind: step.kind, rows: batch }, consume);
    const outcomes = [...staged].map(
      ([id, outcome]) => [id, this.#members.has(id) ? outcomeOf(outcome) : 'failed'] as const,
    );
    const lost = this.#scheduler.commit(new Map(outcomes), performance.now());
    this.#emit({
      type: 'step',
      kind: step.kind,
      rows: rows.length,
      steeredRows: rows.filter((row) => row.edits.length > 0).length,
      tokens: rows.reduce((sum, row) => sum + row.tokens.length, 0),
      milliseconds: performance.now() - began,
    });
    for (const [id, outcome] of staged) this.#deliver(id, outcome);
    this.#lose(lost);
    this.#options.inspect?.(this.#scheduler.snapshot());
  }

  /** Rows of the step with their tokens and edits; what cannot be built goes to `staged` as a failure. */
  #rowSteps(step: ScheduledStep, staged: Map<string, StepOutcome | TillerError>): RowStep[] {
    return step.rows.flatMap((row) => {
      const member = this.#members.get(row.requestId);
      if (!member) return [];
      const { generation, submittedAt } = member;
      if (row.start === 0) {
        const queueMilliseconds = performance.now() - submittedAt;
        generation.queueMilliseconds = queueMilliseconds;
        this.#emit({ type: 'started', requestId: row.requestId, queueMilliseconds });
      }
      const built = attempt(() => generation.rowStep(row));
      if (!(built instanceof TillerError)) return [built];
      staged.set(row.requestId, built);
      return [];
    });
  }

  #deliver(id: string, outcome: StepOutcome | TillerError): void {
    const member = this.#members.get(id);
    if (!member) return;
    if (outcome instanceof TillerError) this.#end(id, 'error', outcome);
    else
      for (const event of outcome.events) {
        if (event.type === 'token' && member.generation.generated === 1) {
          this.#emit({ type: 'first_token', requestId: id, milliseconds: performance.now() - member.submittedAt });
        }
        member.events.push(event);
        if (event.type === 'finish') this.#end(id, event.reason, null);
      }
  }

  #lose(lost: readonly LostRow[]): void {
    for (const { requestId, error } of lost) this.#end(requestId, 'error', asTillerError(error, 'step_failed'));
  }

  /** The request is over for its caller now; its slot is given back before the next step is planned. */
  #end(id: string, outcome: Outcome, error: TillerError | null): void {
    const member = this.#members.get(id);
    if (!member) return;
    this.#members.delete(id);
    member.release();
    this.#scheduler.abort(id);
    member.events.end(error && { error });
    const { request, generated } = member.generation;
    this.#emit({
      type: 'finished',
      requestId: id,
      outcome,
      promptTokens: request.promptTokenIds.length,
      completionTokens: generated,
      steered: request.edits.length > 0,
      milliseconds: performance.now() - member.submittedAt,
    });
    if (this.#members.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
    this.#wake();
  }

  /** A watcher that throws must not stop the replies; it is told of once. */
  #emit(event: EngineEvent): void {
    try {
      this.#options.observer?.(event);
    } catch (error) {
      if (!this.#warned) process.emitWarning(`An engine observer threw: ${String(error)}`);
      this.#warned = true;
    }
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
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
