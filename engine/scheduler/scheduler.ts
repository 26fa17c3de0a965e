import { TillerError } from '../core/errors.ts';
import type { PrefixSharing } from '../core/prefix-sharing.ts';
import { admit, estimateRetryAfter } from './admission.ts';
import { type Entry, entryOf, type IncomingRequest } from './entry.ts';
import type { RowSnapshot, SchedulerSnapshot } from './invariants.ts';
import { Pacing } from './pacing.ts';
import { chooseTurn, chooseVictim, defaultGrowthTokens, roomForPrompt, turnTokens } from './policy.ts';
import { WaitingQueue } from './queue.ts';
import type {
  Reservation,
  RowOutcome,
  ScheduledRow,
  ScheduledStep,
  SchedulerOptions,
  StepChoice,
} from './scheduled-step.ts';
import { arrange, chooseSlot, lowestFree } from './slots.ts';

/** Finishes remembered for the Retry-After estimate. */
const rememberedFinishes = 16;

/**
 * Continuous batching: which request is in which slot, and what runs next. Knows nothing of text, sampling or steering.
 *
 * A step is a transaction: `settle`, `plan`, `reserve`, run it elsewhere, `commit`. Whoever is aborted meanwhile only stops
 * counting: slots change hands in `settle` and `reserve` alone, which are never called while a step runs.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #pacing: Pacing;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new WaitingQueue();
  #prefilling: Entry[] = [];
  /** In the order of their slots before a decode step. */
  #decoding: Entry[] = [];
  /** Arrivals and turns, from one counter: a turn taken later comes after everyone who was here before. */
  #order = 0;
  #step: ScheduledStep | null = null;
  #recentFinishes: number[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#pacing = new Pacing(options.prefillRatio);
  }

  /** Requests inside: waiting, prefilling and decoding. */
  get inside(): number {
    return this.#entries.size;
  }

  /** Admits and queues a request; throws what admission.ts `admit` throws, and `invalid_request` for an id in use. */
  enqueue(request: IncomingRequest, now: number): void {
    if (this.#entries.has(request.requestId)) {
      throw new TillerError('invalid_request', `A request with id '${request.requestId}' is already here.`);
    }
    const { context, slots, queueLimit, keyValueTokenLimit } = this.#options;
    const { inside } = this;
    admit(request, {
      context,
      keyValueTokenLimit,
      slots,
      queueLimit,
      inside,
      recentFinishes: this.#recentFinishes,
      now,
    });
    const entry = entryOf(request, this.#order++);
    this.#entries.set(entry.requestId, entry);
    this.#waiting.add(entry);
  }

  /** The request's graph variant is built; it may start. */
  markReady(requestId: string): void {
    const entry = this.#entries.get(requestId);
    if (entry) entry.ready = true;
  }

  /** Seconds after which a place should be free. */
  retryAfterSeconds(now: number): number {
    return estimateRetryAfter(this.#recentFinishes, now);
  }

  /** The request leaves: at once when it waits, before the next step when it holds a row. False when it is not here. */
  abort(requestId: string): boolean {
    const entry = this.#entries.get(requestId);
    if (!entry || entry.leaving) return false;
    if (this.#waiting.remove(entry)) this.#entries.delete(requestId);
    else {
      entry.leaving = true;
      entry.toKeep = false;
    }
    return true;
  }

  /** Offers what was computed to the prefix cache, and lets leaving rows go. */
  async settle(): Promise<void> {
    const { prefix, store } = this.#options;
    for (const entry of this.#rows()) if (entry.toKeep) await this.#keep(prefix, entry);
    if (prefix) this.#evictExcess(0);
    for (const entry of this.#rows()) {
      if (!entry.leaving) continue;
      store.freeSlot(entry.slot);
      this.#entries.delete(entry.requestId);
    }
    if (this.#rows().some((entry) => entry.leaving)) {
      this.#prefilling = this.#prefilling.filter((entry) => !entry.leaving);
      this.#decoding = this.#decoding.filter((entry) => !entry.leaving);
    }
  }

  /** What to do next; null when nothing can run. */
  plan(now: number): StepChoice | null {
    const head = this.#head(now);
    const share = this.#shares(head) && head?.group === null && this.#decoding.every((entry) => this.#shares(entry));
    const kind = this.#pacing.chooseKind(head, this.#decoding, share);
    if (kind === null || kind === 'decode') return kind && { kind };
    return head && { kind, requestId: head.requestId };
  }

  /** Finds slots and memory for a choice: starts and moves rows, evicts what the prefix cache holds, preempts. */
  async reserve(choice: StepChoice, now: number): Promise<Reservation> {
    if (this.#step) throw new Error('a step is reserved while another runs');
    const step =
      choice.kind === 'decode'
        ? await this.#reserveDecode()
        : await this.#reservePrompts(choice.requestId, choice.kind, now);
    if (this.#rows().some((entry) => entry.leaving)) return { kind: 'superseded' };
    if (!step) return { kind: 'capacity_deferred' };
    this.#step = step;
    return { kind: 'reserved', step };
  }

  /**
   * Ends the step in flight. Rows that `outcomes` does not name failed.
   * @param milliseconds what it took; null when that says nothing about the next one
   */
  commit(outcomes: ReadonlyMap<string, RowOutcome>, milliseconds: number | null, now: number): void {
    const step = this.#step;
    if (!step) throw new Error('no step to commit');
    this.#step = null;
    // a part of the model's blocks says nothing of what all of them take
    const part = step.rows.some(({ requestId }) => this.#entries.get(requestId)?.group);
    this.#pacing.observe(step, part ? null : milliseconds);
    for (const { requestId, count } of step.rows) {
      const entry = this.#entries.get(requestId);
      if (!entry) throw new Error('a row of the step is not here any more');
      const outcome = outcomes.get(requestId) ?? 'failed';
      if (outcome === 'failed') {
        entry.leaving = true;
        entry.toKeep = false;
        continue;
      }
      entry.tokens += count;
      if (outcome === 'finished') {
        this.#recentFinishes = [...this.#recentFinishes, now].slice(-rememberedFinishes);
        entry.leaving = true;
        entry.toKeep = true;
      } else if (this.#prefilling.includes(entry)) this.#afterChunk(entry, count);
    }
  }

  snapshot(): SchedulerSnapshot {
    const { slots, context, queueLimit, keyValueTokenLimit, prefix } = this.#options;
    return {
      slots,
      context,
      queueLimit,
      keyValueTokenLimit,
      prefixTokens: prefix?.tokens ?? 0,
      stepInFlight: this.#step?.kind ?? null,
      ragged: this.#options.ragged ?? false,
      waiting: this.#waiting.list().map(({ requestId, arrival, ready }) => ({ requestId, arrival, ready })),
      prefilling: this.#prefilling.map(rowSnapshot),
      decoding: this.#decoding.map(rowSnapshot),
    };
  }

  #rows(): readonly Entry[] {
    return this.#prefilling.length === 0 ? this.#decoding : [...this.#decoding, ...this.#prefilling];
  }

  /** Tokens that rows and prefix blocks hold. */
  #held(): number {
    return this.#rows().reduce((sum, entry) => sum + entry.tokens, this.#options.prefix?.tokens ?? 0);
  }

  #room(): number {
    return roomForPrompt({
      limit: this.#options.keyValueTokenLimit,
      prefillTargets: this.#prefilling.map(({ target }) => target),
      decodeTokens: this.#decodeTokens(),
      decodeRows: this.#decoding.length,
      growthTokens: this.#options.growthTokens ?? defaultGrowthTokens,
    });
  }

  #decodeTokens(): number {
    return this.#decoding.reduce((sum, entry) => sum + entry.tokens, 0);
  }

  #canStart(entry: Entry): boolean {
    if (!entry.ready) return false;
    const { promptKey } = entry;
    return !(this.#options.prefix && promptKey !== null && this.#prefilling.some((row) => row.promptKey === promptKey));
  }

  /** Whose prompt is read next, besides those that are already. */
  #head(now: number, already: readonly Entry[] = []): Entry | null {
    const head = chooseTurn({
      prefilling: this.#prefilling.filter((entry) => !already.includes(entry)),
      waiting: this.#waiting.list(),
      canStart: (entry) => this.#canStart(entry),
      freeRows: this.#options.slots - this.#prefilling.length - this.#decoding.length,
      roomTokens: this.#room(),
      now,
    });
    return head && (this.#entries.get(head.requestId) ?? null);
  }

  /** Whether a request's steps can be others', too. */
  #shares(entry: Entry | null): boolean {
    return (this.#options.ragged ?? false) && entry?.apart === false;
  }

  /**
   * A chunk of a prompt, by itself or beside the rows that decode; and of those after it, as long as each ends with its chunk and there
   * is time for another.
   */
  async #reservePrompts(requestId: string, kind: 'prefill' | 'mixed', now: number): Promise<ScheduledStep | null> {
    const { maxChunk } = this.#options;
    const chunks: { readonly entry: Entry; readonly count: number }[] = [];
    let next = this.#entries.get(requestId) ?? null;
    while (next !== null) {
      const entry = next;
      if (entry.slot < 0) await this.#start(entry, now);
      // whoever left meanwhile still holds memory: it is given back first
      if (!this.#prefilling.includes(entry) || this.#rows().some((row) => row.leaving)) return null;
      const before = chunks.map((chunk) => ({ tokens: chunk.count, start: chunk.entry.tokens }));
      const alone = entry.group !== null || this.#decoding.length === 0;
      const share = kind === 'mixed' || (this.#shares(entry) && alone);
      const count = this.#pacing.chunk(entry, this.#decoding, maxChunk, share, before);
      if (count > 0) chunks.push({ entry, count });
      const ends = count > 0 && entry.tokens + count >= entry.target;
      const others = chunks.map((chunk) => chunk.entry);
      const after = share && ends ? this.#head(now, others) : null;
      next = after && this.#shares(after) && after.group === entry.group ? after : null;
    }
    const here = () => chunks.filter(({ entry }) => entry.slot >= 0);
    const decoding = () => (kind === 'mixed' ? this.#decoding : []);
    this.#makeRoom(() => here().reduce((sum, { count }) => sum + count, decoding().length));
    const prompts = here().map(({ entry, count }) => scheduled(entry, count));
    // the rows that decode go on where what they grow by leaves no room beside them: else nobody would
    if (prompts.length === 0) return kind === 'mixed' ? this.#reserveDecode() : null;
    const others = decoding().map((row) => scheduled(row, 1));
    return this.#pacing.predicted(others.length + prompts.length > 1 ? 'mixed' : 'prefill', others, prompts);
  }

  async #reserveDecode(): Promise<ScheduledStep | null> {
    this.#makeRoom(() => this.#decoding.length);
    await this.#arrange();
    if (this.#decoding.length === 0) return null;
    const rows = this.#decoding.map((entry) => scheduled(entry, 1));
    return this.#pacing.predicted('decode', rows, []);
  }

  /** Gives a waiting request a row, and what the prefix cache knows of its beginning. */
  async #start(entry: Entry, now: number): Promise<void> {
    const { slots, maxChunk, prefix, ragged = false } = this.#options;
    for (const other of this.#waiting.list()) {
      if (other.arrival >= entry.arrival) break;
      if (!this.#canStart(other)) continue;
      other.overtakes++;
      other.overtakenSince ??= now;
    }
    const unread = entry.target - (prefix && entry.sequence ? prefix.known(entry.sequence) : 0);
    const oneStep = unread <= maxChunk;
    if (!oneStep) await this.#arrange();
    // it may have been aborted meanwhile
    if (!this.#waiting.remove(entry)) return;
    const taken = new Set(this.#rows().map((row) => row.slot));
    entry.slot = ragged
      ? lowestFree(taken)
      : chooseSlot({
          decodeRows: this.#decoding.length,
          taken,
          slots: slots + 1,
          tokens: unread,
          oneStep,
          alone: this.#prefilling.length === 0 && this.#waiting.length === 0,
        });
    entry.overtakes = 0;
    entry.overtakenSince = null;
    this.#prefilling.push(entry);
    try {
      const restored = await this.#restore(entry);
      // the last token is always computed: the reply begins with its logits
      entry.tokens = Math.max(0, Math.min(restored, entry.target - 1));
    } catch (error) {
      this.#lose(entry, error);
    }
  }

  /** Tokens that its slot begins with. */
  async #restore({ content, sequence, slot }: Entry): Promise<number> {
    const { prefix } = this.#options;
    if (content) return content.restore(slot);
    return prefix && sequence ? prefix.restore(sequence, slot) : 0;
  }

  /** Decoding rows to slots 0 … n−1, where they may not lie anywhere. */
  async #arrange(): Promise<void> {
    const { slots, store, ragged = false } = this.#options;
    if (ragged) return;
    const { decoding, prefilling, failed } = await arrange(this.#decoding, this.#prefilling, slots + 1, store);
    this.#decoding = decoding;
    this.#prefilling = prefilling;
    for (const { row, error } of failed) {
      this.#entries.delete(row.requestId);
      this.#options.listener.lost(row.requestId, error);
    }
  }

  #lose(entry: Entry, error: unknown): void {
    this.#takeRow(entry);
    this.#entries.delete(entry.requestId);
    this.#options.listener.lost(entry.requestId, error);
  }

  /** Takes the row and its memory away from a request. */
  #takeRow(entry: Entry): void {
    this.#decoding = this.#decoding.filter((other) => other !== entry);
    this.#prefilling = this.#prefilling.filter((other) => other !== entry);
    this.#options.store.freeSlot(entry.slot);
    entry.slot = -1;
    entry.tokens = 0;
    entry.toKeep = false;
  }

  /** Sees to it that so many more tokens fit: the prefix cache gives way first, then who came last. */
  #makeRoom(tokens: () => number): void {
    while (this.#evictExcess(tokens()) > 0) {
      const victim = chooseVictim(this.#rows());
      // admission lets in nobody who does not fit alone
      if (!victim) throw new Error('one row alone does not fit the KV memory');
      this.#preempt(victim);
    }
  }

  /** Tokens by which what is held and `tokens` more exceed the limit, after the prefix cache has given way. */
  #evictExcess(tokens: number): number {
    const { keyValueTokenLimit, prefix } = this.#options;
    const excess = this.#held() + tokens - keyValueTokenLimit;
    return excess > 0 && prefix ? excess - prefix.evict(excess) : excess;
  }

  /**
   * The row's tokens are computed again later, those of its reply like those of its prompt. Nothing of it is kept in the
   * prefix cache: that has just been emptied for want of memory.
   */
  #preempt(entry: Entry): void {
    const { tokens } = entry;
    // a row that decodes knows one token more than its slot holds
    if (this.#decoding.includes(entry)) entry.target = tokens + 1;
    this.#takeRow(entry);
    entry.turn = entry.arrival;
    entry.turnTokens = 0;
    this.#waiting.add(entry);
    this.#options.listener.preempted(entry.requestId, tokens);
  }

  /** The prompt's turn goes on, passes, or is over because it has been read. */
  #afterChunk(entry: Entry, count: number): void {
    entry.toKeep = true;
    entry.turnTokens += count;
    if (entry.tokens >= entry.target) {
      this.#prefilling = this.#prefilling.filter((other) => other !== entry);
      this.#decoding.push(entry);
    } else if (entry.turnTokens >= turnTokens) {
      entry.turn = this.#order++;
      entry.turnTokens = 0;
    }
  }

  async #keep(prefix: PrefixSharing | null, entry: Entry): Promise<void> {
    entry.toKeep = false;
    if (entry.leaving) await entry.content?.keep(entry.slot, entry.tokens);
    try {
      if (prefix && entry.sequence) await prefix.keep(entry.sequence, entry.slot, entry.tokens);
    } catch (error) {
      this.#options.listener.notKept(error);
    }
  }
}

function scheduled({ requestId, slot, tokens }: Entry, count: number): ScheduledRow {
  return { requestId, slot, start: tokens, count };
}

function rowSnapshot(entry: Entry): RowSnapshot {
  const { requestId, arrival, slot, tokens, target, promptLength, maxTokens, leaving } = entry;
  return { requestId, arrival, slot, tokens, target, promptLength, maxTokens, leaving };
}
