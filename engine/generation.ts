import { type ArrayReading, copyReading, type EditReading } from './core/edit-reading.ts';
import { activationsFrom } from './core/encoder.ts';
import { TillerError } from './core/errors.ts';
import type { SharedSequence } from './core/prefix-sharing.ts';
import type { EditReport, FinishReason, GenerateRequest, GenerationEvent, TokenLogprob } from './core/request.ts';
import type { LogitsRow, Replacement, RowResult, RowStep } from './core/step.ts';
import type { Tokenizer } from './core/tokenizer.ts';
import { ReadingLog } from './reading-log.ts';
import { type RequestEdits, requestEdits } from './request-edits.ts';
import { EditChooser } from './row-edits.ts';
import { isFiniteRow, sampleToken, tokenLogprob } from './runtime/sampler/index.ts';
import type { ScheduledRow } from './scheduler/scheduled-step.ts';
import { createEditReporter, type EditReporter } from './steering/report.ts';
import { RuleState } from './steering/rule-state.ts';
import { TextStream } from './text-stream.ts';
import { verifyReading } from './verify-reading.ts';

/** What one step did for a request: events to hand out once the step is committed. */
export interface StepOutcome {
  readonly finished: boolean;
  readonly events: readonly GenerationEvent[];
}

/** With more edits than this in a decode step, what they read is not remembered for the prefix cache. */
const rememberedEdits = 16;
const noTokens: ReadonlySet<number> = new Set();

/**
 * One request while it is inside the engine: turns scheduled rows into steps, and results into events. A request that is
 * preempted reads its prompt and its reply so far again: what it has told and counted stays told and counted once.
 */
export class Generation implements SharedSequence {
  readonly request: GenerateRequest;
  readonly #eosTokenIds: ReadonlySet<number>;
  /** Everything that min_tokens forbids. */
  readonly #endTokenIds: ReadonlySet<number>;
  readonly #text: TextStream;
  readonly #tokenizer: Tokenizer;
  readonly #edits: RequestEdits;
  /** Null without rules. */
  readonly #rules: RuleState | null;
  /** Of all edits but probes. */
  readonly #reporters: readonly EditReporter[];
  /** For each edit, the positions before this have been reported. */
  readonly #reported: number[];
  readonly #chooser: EditChooser;
  /** Null where nothing is shared. */
  readonly #log: ReadingLog | null;
  /** For the repetition penalty; empty without one. */
  readonly #promptTokenIds: ReadonlySet<number>;
  readonly #generatedCounts = new Map<number, number>();
  readonly #promptLogprobs: (TokenLogprob | null)[] | null;
  /** Which of the request's edits the step in flight carries. */
  #editsOfStep: readonly number[] = [];
  readonly #generatedIds: number[] = [];
  /** What encoders found on positions before this has been told. */
  #toldActivations = 0;
  #promptTold = false;
  #corrupted = false;
  /** From submission to the first step; 0 before it. */
  queueMilliseconds = 0;
  /** Prompt tokens that the prefix cache had. */
  cachedTokens = 0;

  /** @param shares whether readings are remembered for the prefix cache */
  constructor(request: GenerateRequest, tokenizer: Tokenizer, eosTokenIds: ReadonlySet<number>, shares = false) {
    this.request = request;
    this.#tokenizer = tokenizer;
    this.#eosTokenIds = eosTokenIds;
    this.#endTokenIds = new Set([...eosTokenIds, ...request.stop.tokenIds]);
    this.#text = new TextStream(tokenizer, request.stop);
    this.#edits = requestEdits(request);
    this.#rules = request.rules ? new RuleState(request.rules, request.promptTokenIds.length) : null;
    this.#reporters = this.#edits.all.slice(0, this.#edits.firstProbe).map(createEditReporter);
    this.#reported = this.#reporters.map(() => 0);
    this.#chooser = new EditChooser(request, this.#edits, this.#rules);
    this.#log = shares && request.edits.length > 0 ? new ReadingLog() : null;
    this.#promptTokenIds = request.sampling.repetitionPenalty === 1 ? noTokens : new Set(request.promptTokenIds);
    this.#promptLogprobs = request.promptLogprobs === null ? null : [null];
  }

  get generated(): number {
    return this.#generatedIds.length;
  }

  /** Whether the prompt has been read and told of. */
  get promptTold(): boolean {
    return this.#promptTold;
  }

  /** Whether a step gave logits that are not finite numbers. */
  get corrupted(): boolean {
    return this.#corrupted;
  }

  get length(): number {
    return this.request.promptTokenIds.length + this.#generatedIds.length;
  }

  /** Where its steps may have to edit or read. */
  get hookPoints(): readonly string[] {
    return [...new Set(this.#edits.all.map(({ hookPoint }) => hookPoint))];
  }

  get mayTake(): number {
    return Math.min(this.#rules?.readUpTo ?? Number.POSITIVE_INFINITY, this.mayLeave);
  }

  get mayLeave(): number {
    const { own, firstProbe } = this.#edits;
    return firstProbe > own ? this.request.promptTokenIds.length : Number.POSITIVE_INFINITY;
  }

  tokensBetween(from: number, to: number): Int32Array {
    const { promptTokenIds } = this.request;
    const { length } = promptTokenIds;
    if (to <= length) return promptTokenIds.slice(from, to);
    const tokens = new Int32Array(to - from);
    for (let at = from; at < to; at++) {
      tokens[at - from] = (at < length ? promptTokenIds[at] : this.#generatedIds[at - length]) as number;
    }
    return tokens;
  }

  readingsBetween(edit: number, from: number, to: number): ArrayReading | null {
    return this.#log?.between(edit, from, to) ?? null;
  }

  forgetReadings(before: number): void {
    this.#log?.forget(before);
  }

  restoreReadings(edit: number, from: number, reading: EditReading): void {
    this.#report(edit, from, reading);
  }

  /** The row's share of a step. Edits that touch none of its tokens are left out. */
  rowStep({ slot, start, count }: ScheduledRow): RowStep {
    const { id, promptLogprobs, stop, encodings, taps = [], replacements } = this.request;
    const end = start + count;
    const tokens = this.tokensBetween(start, end);
    const { edits, indices } = this.#chooser.choose(start, tokens);
    this.#editsOfStep = indices;
    const echoes = promptLogprobs !== null && !this.#promptTold;
    const rest = readsOnly(this.request) ? 'never' : 'none';
    const logits = echoes ? 'all' : end >= this.length && stop.maxTokens > 0 ? 'last' : rest;
    const standIns = replacements?.map((whole) => replacementOf(whole, start, end));
    return {
      ...{ requestId: id, slot, tokens, start, logits, edits, taps },
      ...(encodings ? { encodings } : {}),
      ...(standIns ? { replacements: standIns } : {}),
    };
  }

  /**
   * Takes the row's result in. Throws `step_failed` when the result is not for this row or its logits are not finite, and
   * `edit_not_applicable` when an edit read or wrote something that is not finite, or was not applied where it should be.
   */
  accept(row: RowStep, result: RowResult): StepOutcome {
    this.#checkShape(row, result);
    this.#takeReadings(row, result);
    if (!this.#promptTold) this.#takePromptLogprobs(row, result);
    const events: GenerationEvent[] = [];
    this.#takeActivations(row, result, events);
    if (row.start + row.tokens.length < this.length) return { finished: false, events };
    if (!this.#promptTold) {
      this.#promptTold = true;
      const { queueMilliseconds, cachedTokens } = this;
      events.push({ type: 'prompt', logprobs: this.#promptLogprobs, queueMilliseconds, cachedTokens });
      if (this.request.stop.maxTokens === 0) {
        return { finished: true, events: [...events, this.#finish('length', null, '')] };
      }
    }
    const rule = this.#rules?.stopped;
    if (rule) return { finished: true, events: [...events, this.#flushAndFinish('rule', rule.param)] };
    const logits = result.logits.at(-1);
    if (!logits) throw new TillerError('step_failed', 'The step returned no logits to choose a token from.');
    return this.#takeToken(logits, events);
  }

  #checkShape(row: RowStep, result: RowResult): void {
    const expected = { none: 0, never: 0, last: 1, all: row.tokens.length }[row.logits];
    if (
      result.requestId !== row.requestId ||
      result.logits.length !== expected ||
      result.readings.length !== row.edits.length
    ) {
      throw new TillerError('step_failed', 'The step returned a result that does not fit what was asked of it.');
    }
    if (!result.logits.every(isFiniteRow)) {
      this.#corrupted = true;
      const hint = row.edits.length > 0 ? ' The edits of this request may be too strong.' : '';
      throw new TillerError('step_failed', `The logits are not finite numbers, so no token can be chosen.${hint}`);
    }
  }

  #takeReadings(row: RowStep, { readings }: RowResult): void {
    const { start, tokens, edits } = row;
    const { own, firstProbe } = this.#edits;
    const indices = this.#editsOfStep;
    const logged: [number, EditReading][] = [];
    const probed = new Array<EditReading | null>(this.#edits.all.length - firstProbe).fill(null);
    for (let at = 0; at < edits.length; at++) {
      const { edit, mask } = edits[at] as RowStep['edits'][number];
      const index = indices[at] as number;
      const reading = readings[at] as EditReading;
      verifyReading(edit, mask, reading, start, () => this.#paramOf(index));
      if (index >= firstProbe) probed[index - firstProbe] = reading;
      else this.#report(index, start, reading);
      if (index < own) logged.push([index, reading]);
    }
    this.#rules?.take(start, tokens.length, probed);
    if (!this.#log) return;
    if (start >= this.request.promptTokenIds.length && logged.length > rememberedEdits) this.#log.close();
    else this.#log.append(start, tokens.length, logged);
  }

  /** What stands for an edit in messages. */
  #paramOf(index: number): string {
    const { own, ruleOf } = this.#edits;
    if (index < own) return `steering.edits[${index}]`;
    const rule = ruleOf[index - own] ?? null;
    if (rule === null) return 'steering.rules';
    return `${this.request.rules?.rules[rule]?.param}.do[${index - own - ruleOf.indexOf(rule)}]`;
  }

  /** Adds to an edit's report what it does not hold yet. */
  #report(index: number, start: number, reading: EditReading): void {
    const known = Math.max(0, (this.#reported[index] as number) - start);
    if (known >= reading.tokens) return;
    this.#reporters[index]?.add(known === 0 ? reading : copyReading(reading, known));
    this.#reported[index] = start + reading.tokens;
  }

  /** A row that was preempted reads again what it has told. */
  #takeActivations(row: RowStep, result: RowResult, events: GenerationEvent[]): void {
    const { start, tokens, encodings = [], taps } = row;
    if (encodings.length + taps.length === 0) return;
    const { activations = [] } = result;
    if (activations.length !== encodings.length || activations.some((each) => each.tokens !== tokens.length)) {
      throw new TillerError('step_failed', 'The step returned activations that do not fit what was asked of it.');
    }
    const known = Math.max(0, this.#toldActivations - start);
    if (known >= tokens.length) return;
    this.#toldActivations = start + tokens.length;
    events.push({
      type: 'activations',
      start: start + known,
      activations: activations.map((each) => activationsFrom(each, known)),
      taps: new Map(
        [...result.taps].map(([name, values]) => [name, values.subarray((values.length / tokens.length) * known)]),
      ),
    });
  }

  /** Logits at position t are about token t + 1, so the last ones of the prompt belong to the reply. */
  #takePromptLogprobs(row: RowStep, result: RowResult): void {
    const { promptLogprobs, promptTokenIds } = this.request;
    if (promptLogprobs === null) return;
    const told = this.#promptLogprobs ?? [];
    result.logits.forEach((logits, at) => {
      const position = row.start + at + 1;
      const next = promptTokenIds[position];
      // a preempted row reads again what it has told
      if (next !== undefined && position === told.length) told.push(tokenLogprob(logits, next, promptLogprobs));
    });
  }

  #takeToken(logits: LogitsRow, events: GenerationEvent[]): StepOutcome {
    const { sampling, stop, logprobs } = this.request;
    const banned = this.generated < stop.minTokens ? this.#endTokenIds : [];
    const tokenId = sampleToken(
      logits,
      sampling,
      { promptTokenIds: this.#promptTokenIds, generatedCounts: this.#generatedCounts, banned },
      this.generated,
    );
    this.#generatedIds.push(tokenId);
    this.#generatedCounts.set(tokenId, (this.#generatedCounts.get(tokenId) ?? 0) + 1);
    const end = this.#endOf(tokenId);
    const shown = end === null || this.#showsEnd(tokenId);
    const { text, stop: stopString } = shown ? this.#text.push(tokenId) : { text: '', stop: null };
    const logprob = logprobs === null ? null : tokenLogprob(logits, tokenId, logprobs);
    events.push({ type: 'token', tokenId, text, logprob });
    if (stopString !== null) events.push(this.#finish('stop', stopString, ''));
    else if (end !== null) events.push(this.#flushAndFinish('stop', end.stopReason));
    else if (this.generated >= stop.maxTokens) events.push(this.#flushAndFinish('length', null));
    else return { finished: false, events };
    return { finished: true, events };
  }

  /** Whether the token ends the reply, and what to report as the reason. */
  #endOf(tokenId: number): { readonly stopReason: number | null } | null {
    const { stop } = this.request;
    if (!stop.ignoreEos && this.#eosTokenIds.has(tokenId)) return { stopReason: null };
    return stop.tokenIds.includes(tokenId) ? { stopReason: tokenId } : null;
  }

  /** A stop token of the caller's own shows in the text where the stop itself is asked for; the model's ends never do. */
  #showsEnd(tokenId: number): boolean {
    return (
      this.request.stop.includeStopString &&
      !this.#eosTokenIds.has(tokenId) &&
      !this.#tokenizer.specialTokenIds.has(tokenId)
    );
  }

  #flushAndFinish(reason: FinishReason, stopReason: number | string | null): GenerationEvent {
    const { text, stop } = this.#text.flush();
    return stop === null ? this.#finish(reason, stopReason, text) : this.#finish('stop', stop, text);
  }

  #finish(reason: FinishReason, stopReason: string | number | null, text: string): GenerationEvent {
    const { own, ruleOf } = this.#edits;
    const reports = this.#reporters.map((reporter) => reporter.report());
    const ofRule = (rule: number): EditReport[] => reports.slice(own).filter((_, at) => ruleOf[at] === rule);
    const rules = this.#rules?.reports().map((report, rule) => ({ ...report, edits: ofRule(rule) }));
    return {
      type: 'finish',
      reason,
      stopReason,
      text,
      promptTokens: this.request.promptTokenIds.length,
      completionTokens: this.generated,
      edits: reports.slice(0, own),
      ...(rules ? { rules } : {}),
    };
  }
}

/** Whether nothing but what encoders find is wanted of a request. */
export function readsOnly({ encodings = [], taps = [], stop, promptLogprobs }: GenerateRequest): boolean {
  return encodings.length + taps.length > 0 && stop.maxTokens === 0 && promptLogprobs === null;
}

/** Tokens `from` … `to` − 1 of it. */
function replacementOf({ hookPoint, values, mask }: Replacement, from: number, to: number): Replacement {
  const width = values.length / mask.length;
  return { hookPoint, values: values.subarray(from * width, to * width), mask: mask.subarray(from, to) };
}
