import { TillerError } from './core/errors.ts';
import type { GenerateRequest, GenerationEvent, TokenLogprob } from './core/request.ts';
import type { LogitsRow, RowResult, RowStep } from './core/step.ts';
import type { Tokenizer } from './core/tokenizer.ts';
import { isFiniteRow, sampleToken, tokenLogprob } from './runtime/sampler/index.ts';
import type { ScheduledRow } from './scheduler/scheduler.ts';
import { positionsMask } from './steering/positions.ts';
import { createEditReporter, type EditReporter } from './steering/report.ts';
import { TextStream } from './text-stream.ts';
import { verifyReading } from './verify-reading.ts';

/** What one step did for a request: events to hand out once the step is committed. */
export interface StepOutcome {
  readonly finished: boolean;
  readonly events: readonly GenerationEvent[];
}

/** One request while it is inside the engine: turns scheduled rows into steps, and results into events. */
export class Generation {
  readonly request: GenerateRequest;
  readonly #eosTokenIds: ReadonlySet<number>;
  /** Everything that min_tokens forbids. */
  readonly #endTokenIds: ReadonlySet<number>;
  readonly #text: TextStream;
  readonly #tokenizer: Tokenizer;
  readonly #reporters: readonly EditReporter[];
  readonly #promptTokenIds: ReadonlySet<number>;
  readonly #generatedCounts = new Map<number, number>();
  readonly #promptLogprobs: (TokenLogprob | null)[] | null;
  /** Which of the request's edits the step in flight carries. */
  #editsOfStep: readonly number[] = [];
  #lastTokenId = -1;
  #generated = 0;
  /** From submission to the first step; 0 before it. */
  queueMilliseconds = 0;

  constructor(request: GenerateRequest, tokenizer: Tokenizer, eosTokenIds: ReadonlySet<number>) {
    this.request = request;
    this.#tokenizer = tokenizer;
    this.#eosTokenIds = eosTokenIds;
    this.#endTokenIds = new Set([...eosTokenIds, ...request.stop.tokenIds]);
    this.#text = new TextStream(tokenizer, request.stop);
    this.#reporters = request.edits.map(createEditReporter);
    this.#promptTokenIds = new Set(request.promptTokenIds);
    this.#promptLogprobs = request.promptLogprobs === null ? null : [null];
  }

  get generated(): number {
    return this.#generated;
  }

  /** The row's share of a step. Edits that touch none of its tokens are left out. */
  rowStep({ slot, start, count }: ScheduledRow): RowStep {
    const { id, promptTokenIds, edits, positionContext, promptLogprobs, stop } = this.request;
    const prefill = start < promptTokenIds.length;
    const tokens = prefill ? promptTokenIds.slice(start, start + count) : Int32Array.of(this.#lastTokenId);
    const last = start + count >= promptTokenIds.length;
    const masked = edits
      .map((edit, index) => ({ index, edit, mask: positionsMask(edit, positionContext, start, tokens) }))
      .filter(({ mask }) => mask.some((value) => value !== 0));
    this.#editsOfStep = masked.map(({ index }) => index);
    return {
      requestId: id,
      slot,
      tokens,
      start,
      logits: prefill && promptLogprobs !== null ? 'all' : last && stop.maxTokens > 0 ? 'last' : 'none',
      edits: masked.map(({ edit, mask }) => ({ edit, mask })),
      taps: [],
    };
  }

  /**
   * Takes the row's result in. Throws `step_failed` when the result is not for this row or its logits are not finite, and
   * `edit_not_applicable` when an edit read or wrote something that is not finite, or was not applied where it should be.
   */
  accept(row: RowStep, result: RowResult): StepOutcome {
    this.#checkShape(row, result);
    this.#takeReadings(row, result);
    const { promptTokenIds, stop } = this.request;
    const events: GenerationEvent[] = [];
    if (row.start < promptTokenIds.length) {
      this.#takePromptLogprobs(row, result);
      if (row.start + row.tokens.length < promptTokenIds.length) return { finished: false, events };
      const { queueMilliseconds } = this;
      events.push({ type: 'prompt', logprobs: this.#promptLogprobs, queueMilliseconds });
      if (stop.maxTokens === 0) return { finished: true, events: [...events, this.#finish('length', null, '')] };
    }
    const logits = result.logits.at(-1);
    if (!logits) throw new TillerError('step_failed', 'The step returned no logits to choose a token from.');
    return this.#takeToken(logits, events);
  }

  #checkShape(row: RowStep, result: RowResult): void {
    const expected = { none: 0, last: 1, all: row.tokens.length }[row.logits];
    if (
      result.requestId !== row.requestId ||
      result.logits.length !== expected ||
      result.readings.length !== row.edits.length
    ) {
      throw new TillerError('step_failed', 'The step returned a result that does not fit what was asked of it.');
    }
    if (!result.logits.every(isFiniteRow)) {
      const hint = row.edits.length > 0 ? ' The edits of this request may be too strong.' : '';
      throw new TillerError('step_failed', `The logits are not finite numbers, so no token can be chosen.${hint}`);
    }
  }

  #takeReadings(row: RowStep, result: RowResult): void {
    row.edits.forEach(({ edit, mask }, at) => {
      const reading = result.readings[at];
      const index = this.#editsOfStep[at];
      if (!reading || index === undefined) return;
      verifyReading(edit, mask, reading, index, row.start);
      this.#reporters[index]?.add(reading);
    });
  }

  /** Logits at position t are about token t + 1, so the last ones of the prompt belong to the reply. */
  #takePromptLogprobs(row: RowStep, result: RowResult): void {
    const { promptLogprobs, promptTokenIds } = this.request;
    if (promptLogprobs === null) return;
    result.logits.forEach((logits, at) => {
      const next = promptTokenIds[row.start + at + 1];
      if (next !== undefined) this.#promptLogprobs?.push(tokenLogprob(logits, next, promptLogprobs));
    });
  }

  #takeToken(logits: LogitsRow, events: GenerationEvent[]): StepOutcome {
    const { sampling, stop, logprobs } = this.request;
    const banned = this.#generated < stop.minTokens ? this.#endTokenIds : [];
    const tokenId = sampleToken(
      logits,
      sampling,
      { promptTokenIds: this.#promptTokenIds, generatedCounts: this.#generatedCounts, banned },
      this.#generated,
    );
    this.#generated++;
    this.#lastTokenId = tokenId;
    this.#generatedCounts.set(tokenId, (this.#generatedCounts.get(tokenId) ?? 0) + 1);
    const end = this.#endOf(tokenId);
    const shown = end === null || this.#showsEnd(tokenId);
    const { text, stop: stopString } = shown ? this.#text.push(tokenId) : { text: '', stop: null };
    const logprob = logprobs === null ? null : tokenLogprob(logits, tokenId, logprobs);
    events.push({ type: 'token', tokenId, text, logprob });
    if (stopString !== null) events.push(this.#finish('stop', stopString, ''));
    else if (end !== null) events.push(this.#flushAndFinish('stop', end.stopReason));
    else if (this.#generated >= stop.maxTokens) events.push(this.#flushAndFinish('length', null));
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

  #flushAndFinish(reason: 'stop' | 'length', stopReason: number | null): GenerationEvent {
    const { text, stop } = this.#text.flush();
    return stop === null ? this.#finish(reason, stopReason, text) : this.#finish('stop', stop, text);
  }

  #finish(reason: 'stop' | 'length', stopReason: string | number | null, text: string): GenerationEvent {
    return {
      type: 'finish',
      reason,
      stopReason,
      text,
      promptTokens: this.request.promptTokenIds.length,
      completionTokens: this.#generated,
      edits: this.#reporters.map((reporter) => reporter.report()),
    };
  }
}
