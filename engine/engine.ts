import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine } from './core/engine.ts';
import type { EngineEvent, EngineObserver, EngineStatistics } from './core/engine-events.ts';
import { asTillerError, TillerError } from './core/errors.ts';
import { showsKeys } from './core/hook-point-shapes.ts';
import type { PrefixSharing } from './core/prefix-sharing.ts';
import type { GenerateRequest, GenerationEvent } from './core/request.ts';
import type { Executor } from './core/step.ts';
import type { Tokenizer } from './core/tokenizer.ts';
import { EventQueue } from './event-queue.ts';
import { Generation, readsOnly, type StepOutcome } from './generation.ts';
import { HandOut } from './hand-out.ts';
import { type Ending, Member } from './member.ts';
import { RequestTimes } from './request-times.ts';
import { findViolations, type SchedulerSnapshot } from './scheduler/invariants.ts';
import type { ScheduledStep } from './scheduler/scheduled-step.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { statisticsOf } from './statistics.ts';
import { promptKeyOf } from './steering-class.ts';
import { runStep } from './step-runner.ts';
import { createTurnPace, type TurnPace } from './turn-pace.ts';
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
  /** Most tokens of KV memory that rows and prefix blocks may hold together; default: every slot full. */
  readonly keyValueTokenLimit?: number;
  /** Longest that a request may wait for its first step, in milliseconds; null or left out: no bound. */
  readonly queueTimeLimitMilliseconds?: number | null;
  /** While rows decode, a chunk of a prompt may take so many times what a decode step takes; default 0.8. */
  readonly prefillRatio?: number;
  /** A prompt starts only where each row that decodes could grow by so many tokens beside it; default 16. */
  readonly growthTokens?: number;
  /** Shares prompts between requests; null or left out: nothing is shared. */
  readonly prefix?: PrefixSharing | null;
  readonly observer?: EngineObserver;
  /** Milliseconds since the epoch, for deadlines. */
  readonly now?: () => number;
  /** When the event loop turns while the rows of a step are sampled; tests give their own. */
  readonly pace?: TurnPace;
  /** Sees the scheduler after every step; tests check its invariants there. */
  readonly inspect?: (snapshot: SchedulerSnapshot) => void;
}

/** Continuous batching over one executor; core/engine.ts `Engine` says what it promises. */
export function createEngine(options: EngineOptions): Engine {
  return new BatchingEngine(options);
}

/** What a turn of the loop came to. */
type TurnOutcome =
  /** Nobody can run: the loop ends until it is woken. */
  | 'no_work'
  /** Rows gave way or left before the step began: another one is planned. */
  | 'deferred'
  /** A step ran, and what it gave is on its way to the requests. */
  | 'committed';

/** The scheduler's invariants are checked after so many steps, and whenever it goes idle. */
const stepsBetweenChecks = 256;

class BatchingEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #executor: Executor;
  readonly #scheduler: Scheduler;
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #pace: TurnPace;
  readonly #members = new Map<string, Member>();
  readonly #handOut = new HandOut((id, outcome, now) => this.#deliver(id, outcome, now));
  readonly #preparing = new Set<Promise<void>>();
  readonly #emptied: (() => void)[] = [];
  /** The loop while it runs. */
  #loop: Promise<void> | null = null;
  #wanted = false;
  #draining = false;
  #steps = 0;
  readonly #warned = new Set<string>();
  /** Why the loop ended for good; it should never. */
  #broken: TillerError | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: EngineOptions) {
    const { executor, queueLimit, eosTokenIds, prefillRatio, growthTokens, prefix = null } = options;
    this.#options = options;
    this.#executor = executor;
    this.#eosTokenIds = new Set(eosTokenIds);
    this.#pace = options.pace ?? createTurnPace();
    const { slots, context, maxChunk, ragged } = executor;
    this.#scheduler = new Scheduler({
      slots,
      context,
      maxChunk,
      ragged,
      queueLimit,
      keyValueTokenLimit: options.keyValueTokenLimit ?? slots * context,
      prefillRatio,
      growthTokens,
      store: executor,
      prefix,
      listener: {
        lost: (id, error) => this.#end(id, { outcome: 'error', error: asTillerError(error, 'step_failed') }),
        preempted: (requestId, tokens) => this.#emit({ type: 'preempted', requestId, tokens }),
        notKept: (error) => this.#warn(`The prefix cache could not keep a prompt: ${String(error)}`),
      },
    });
  }

  submit(request: GenerateRequest): AsyncIterable<GenerationEvent> {
    if (this.#broken) throw this.#broken;
    if (this.#draining) throw new TillerError('draining', 'The service is shutting down and takes no new requests.');
    const { tokenizer, prefix = null } = this.#options;
    validateRequest(request, tokenizer.vocabularySize);
    const ending = callerEnding(request, this.#now());
    if (ending) throw ending.error;
    const { id, promptTokenIds, stop, encodings = [], taps = [], replacements = [] } = request;
    const opens = encodings.length + taps.length + replacements.length > 0;
    // the one before it of this name may be over without knowing it
    this.#handOut.now(id);
    const generation = new Generation(request, tokenizer, this.#eosTokenIds, prefix !== null);
    const sites = generation.hookPoints;
    const ready = sites.length === 0 && !opens;
    const promptLength = promptTokenIds.length;
    const { maxTokens } = stop;
    // what is not computed is not read either
    const sequence = opens ? null : generation;
    const promptKey = prefix && sequence && promptKeyOf(request);
    // what only reads ends before the last block; what shows keys is laid out by rows
    const apart = readsOnly(request) || taps.some(showsKeys);
    const now = performance.now();
    this.#scheduler.enqueue({ requestId: id, promptLength, maxTokens, ready, promptKey, sequence, apart }, now);
    const events = new EventQueue<GenerationEvent>(() => this.#end(id, { outcome: 'cancelled', error: null }));
    const member = new Member(generation, events, new RequestTimes(now));
    this.#members.set(id, member);
    member.release = this.#watch(member);
    this.#emit({ type: 'queued', requestId: id, promptTokens: promptLength, maxTokens });
    if (!ready) this.#prepare(member, sites);
    this.#wake();
    return events;
  }

  statistics(): EngineStatistics {
    const { prefix = null } = this.#options;
    const state = { draining: this.#draining, broken: this.#broken?.message ?? null };
    return statisticsOf(this.#scheduler.snapshot(), this.#executor, prefix, state);
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
    for (const id of [...this.#members.keys()]) {
      this.#end(id, { outcome: 'cancelled', error: new TillerError('draining', reason) });
    }
    while (this.#loop) await this.#loop;
  }

  /** Has the request looked at when its caller leaves, at its deadline, and when it has waited for too long. */
  #watch(member: Member): () => void {
    const { request } = member.generation;
    const unwatch = watchCaller(
      request,
      () => this.#now(),
      () => this.#look(member),
    );
    const limit = this.#options.queueTimeLimitMilliseconds ?? null;
    if (limit === null) return unwatch;
    const timer = setTimeout(() => this.#giveUpWaiting(member, limit), Math.min(limit, longestTimer)).unref();
    return () => {
      clearTimeout(timer);
      unwatch();
    };
  }

  #giveUpWaiting(member: Member, limit: number): void {
    const { id } = member.generation.request;
    if (member.times.hasStarted || this.#members.get(id) !== member) return;
    const retryAfterSeconds = this.#scheduler.retryAfterSeconds(performance.now());
    const message =
      `The request waited for ${limit / 1000} s, as long as requests may wait here, and its turn had not come. ` +
      `Try again in about ${retryAfterSeconds} s.`;
    this.#end(id, { outcome: 'error', error: new TillerError('queue_timeout', message, { retryAfterSeconds }) });
  }

  /** Ends the request if its caller no longer wants it or its time is up. */
  #look(member: Member): void {
    const { request } = member.generation;
    const ending = callerEnding(request, this.#now());
    if (ending && this.#members.get(request.id) === member) this.#end(request.id, ending);
  }

  /** Has the graph for these hook points and the request's encoders built while others run; the request waits in the queue meanwhile. */
  #prepare(member: Member, sites: readonly string[]): void {
    const { id, encodings, taps = [], replacements = [] } = member.generation.request;
    const replaced = replacements.map(({ hookPoint }) => hookPoint);
    const tapsOnly = readsOnly(member.generation.request);
    const here = () => this.#members.get(id) === member;
    const preparing: Promise<void> = Promise.resolve()
      .then(() =>
        this.#executor.prepare({
          edits: sites,
          taps,
          ...(encodings ? { encodings } : {}),
          ...(replaced.length > 0 ? { replaced } : {}),
          ...(tapsOnly ? { tapsOnly } : {}),
        }),
      )
      .then(
        () => {
          if (here()) this.#scheduler.markReady(id);
          this.#wake();
        },
        (error) => {
          if (here()) this.#end(id, { outcome: 'error', error: asTillerError(error, 'step_failed') });
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

  /**
   * Runs steps while there is work. The event loop turns between any two, and requests join and leave: while the later one
   * runs (hand-out.ts), or here where none does.
   */
  async #run(): Promise<void> {
    try {
      let outcome: TurnOutcome = 'no_work';
      do {
        this.#wanted = false;
        if (outcome !== 'committed') await nextTurn();
        outcome = await this.#turn();
        if (outcome === 'no_work') await this.#handOut.done();
        else this.#wanted = true;
      } while (this.#wanted);
    } catch (error) {
      this.#break(asTillerError(error));
    } finally {
      // in the same turn as the last look at #wanted, so that no wake is lost
      this.#loop = null;
    }
  }

  /** A mistake in the engine itself: nothing that it would say from now on can be trusted. */
  #break(error: TillerError): void {
    this.#broken = error;
    this.#warn(`The engine stopped: ${error.message}`);
    for (const id of [...this.#members.keys()]) this.#end(id, { outcome: 'error', error });
  }

  /** Lets go, plans, finds room, runs, commits and hands out: one step at most. */
  async #turn(): Promise<TurnOutcome> {
    const began = performance.now();
    for (const member of this.#members.values()) this.#look(member);
    await this.#scheduler.settle();
    const choice = this.#scheduler.plan(began);
    this.#check(choice === null);
    if (!choice) return 'no_work';
    const reservation = await this.#scheduler.reserve(choice, began);
    if (reservation.kind !== 'reserved') return 'deferred';
    this.#options.inspect?.(this.#scheduler.snapshot());
    await this.#step(reservation.step, began);
    return 'committed';
  }

  /** Throws when the scheduler's own account is wrong. */
  #check(idle: boolean): void {
    const { inspect } = this.#options;
    const due = idle || ++this.#steps % stepsBetweenChecks === 0;
    if (!due && !inspect) return;
    const snapshot = this.#scheduler.snapshot();
    inspect?.(snapshot);
    const [violation] = due ? findViolations(snapshot) : [];
    if (violation !== undefined) throw new Error(`the scheduler's account is wrong: ${violation}`);
  }

  /** Nothing is visible of a step before it is committed. */
  async #step(step: ScheduledStep, began: number): Promise<void> {
    for (const { requestId, start } of step.rows) {
      const member = this.#members.get(requestId);
      if (member && !member.times.hasStarted) this.#emit(member.start(start, performance.now()));
    }
    const { staged, outcomes, builtAt, runMilliseconds, retried, counts } = await runStep(
      this.#executor,
      step,
      this.#members,
      this.#pace,
    );
    await this.#handOut.done();
    // what it took says nothing of the next one when rows ran twice or not at all
    const usual = !retried && counts.rows === step.rows.length;
    this.#scheduler.commit(outcomes, usual ? performance.now() - builtAt : null, performance.now());
    const ended = performance.now();
    if (retried) this.#emit({ type: 'step_retried', rows: counts.rows });
    this.#emit({
      type: 'step',
      kind: step.kind,
      ...counts,
      milliseconds: ended - began,
      phases: { plan: builtAt - began, run: runMilliseconds, commit: ended - builtAt - runMilliseconds },
      predictedMilliseconds: step.predictedMilliseconds,
    });
    this.#handOut.add(staged, ended);
    // who is done gives memory back now, and not only when there is another step
    await this.#scheduler.settle();
  }

  #deliver(id: string, outcome: StepOutcome | TillerError, now: number): void {
    const member = this.#members.get(id);
    if (!member) return;
    if (outcome instanceof TillerError) {
      if (member.generation.corrupted) this.#emit({ type: 'corrupted', requestId: id });
      this.#end(id, { outcome: 'error', error: outcome });
      return;
    }
    for (const event of outcome.events) {
      const observed = member.observed(event, now);
      if (observed) this.#emit(observed);
      member.events.push(event);
      if (event.type === 'finish') this.#end(id, { outcome: event.reason, error: null });
    }
  }

  /** The request is over for its caller now; its slot is given back before the next step is planned. */
  #end(id: string, { outcome, error }: Ending): void {
    this.#handOut.now(id);
    const member = this.#members.get(id);
    if (!member) return;
    this.#members.delete(id);
    member.release();
    this.#scheduler.abort(id);
    member.events.end(error && { error });
    this.#emit(member.finished(outcome, performance.now()));
    if (this.#members.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
    this.#wake();
  }

  /** A watcher that throws must not stop the replies; it is told of once. */
  #emit(event: EngineEvent): void {
    try {
      this.#options.observer?.(event);
    } catch (error) {
      this.#warn(`An engine observer threw: ${String(error)}`);
    }
  }

  /** Each warning once. */
  #warn(message: string): void {
    if (!this.#warned.has(message)) process.emitWarning(message);
    this.#warned.add(message);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}
