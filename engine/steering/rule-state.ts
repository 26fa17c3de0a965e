import type { EditReading } from '../core/edit-reading.ts';
import { TillerError } from '../core/errors.ts';
import type { RuleReport } from '../core/request.ts';
import { type Comparison, comparisonsOf, type Probe, type Rule, type RuleSet } from '../core/rule.ts';
import { evaluate, type ProbeWants, PromptReading, probeWants, wantsToken } from './conditions.ts';
import { runningRange } from './running-range.ts';

/** One rule, and what became of it so far. */
interface Watched {
  readonly rule: Rule;
  readonly comparisons: readonly Comparison[];
  readonly values: readonly ReturnType<typeof runningRange>[];
  /** For each token of the reply, 1 where the rule holds there. */
  readonly gates: number[];
  /** Whether it compares nothing but the prompt: one verdict, for good. */
  readonly promptOnly: boolean;
  holds: boolean;
  tokensRead: number;
  firstFired: number | null;
  timesFired: number;
}

/**
 * The verdicts of a request's rules, token by token. They are given once: a request that is preempted reads its tokens again,
 * and what holds at each of them is what held before.
 */
export class RuleState {
  readonly #probes: readonly Probe[];
  readonly #watched: readonly Watched[];
  readonly #wants: readonly ProbeWants[];
  readonly #prompt: readonly PromptReading[];
  readonly #promptLength: number;
  /** The first position that conditions have not read and may want to. */
  #next: number;
  #stopped: Rule | null = null;

  constructor({ probes, rules }: RuleSet, promptLength: number) {
    this.#probes = probes;
    this.#promptLength = promptLength;
    this.#wants = probeWants(probes.length, rules);
    this.#prompt = probes.map(() => new PromptReading());
    this.#watched = rules.map((rule) => {
      const comparisons = comparisonsOf(rule.when);
      return {
        rule,
        comparisons,
        values: comparisons.map(() => runningRange()),
        gates: [],
        promptOnly: comparisons.every(({ over }) => over !== 'token'),
        ...{ holds: false, tokensRead: 0, firstFired: null, timesFired: 0 },
      };
    });
    const prompts = new Set(this.#wants.map(({ prompt }) => prompt));
    this.#next = prompts.has('all') ? 0 : prompts.has('last') ? promptLength - 1 : promptLength;
    // no condition reads the prompt: none holds at the first token of the reply
    if (this.#next === promptLength) for (const { gates } of this.#watched) gates.push(0);
  }

  /** Positions before this have been read, or need not be. */
  get readUpTo(): number {
    return this.#next;
  }

  /** The rule that ends the reply here; null: none does. */
  get stopped(): Rule | null {
    return this.#stopped;
  }

  /** Whether the rule holds at a token: false in the prompt. Throws where that is not known yet. */
  holdsAt(rule: number, position: number): boolean {
    if (position < this.#promptLength) return false;
    const gate = this.#watched[rule]?.gates[position - this.#promptLength];
    if (gate === undefined) throw new TillerError('internal', `Rule ${rule} has no verdict for position ${position}.`);
    return gate === 1;
  }

  /** 1 for tokens, from position `start` on, that a probe is to read. */
  probeMask(probe: number, start: number, tokens: number): Float32Array {
    const wants = this.#wants[probe] as ProbeWants;
    const mask = new Float32Array(tokens);
    for (let at = 0; at < tokens; at++) mask[at] = wantsToken(wants, start + at, this.#promptLength) ? 1 : 0;
    return mask;
  }

  /**
   * Takes a step's readings in, one for each probe, null for one that the step did not carry. Tokens that have been judged are
   * left out. Throws `step_failed` where tokens in between were never read.
   */
  take(start: number, tokens: number, readings: readonly (EditReading | null)[]): void {
    if (start + tokens <= this.#next) return;
    if (start > this.#next) {
      throw new TillerError('step_failed', `Conditions were to read position ${this.#next}, and it was left out.`);
    }
    for (let position = Math.max(start, this.#next); position < start + tokens; position++) {
      this.#judge(
        position,
        readings.map((reading, probe) => this.#valueAt(probe, reading, position, start)),
      );
      this.#next = position + 1;
    }
  }

  /** What each rule did, its edits aside. */
  reports(): Omit<RuleReport, 'edits'>[] {
    return this.#watched.map(({ rule, values, tokensRead, firstFired, timesFired }) => ({
      tokensRead,
      firstFired,
      timesFired,
      latched: rule.latch && timesFired > 0,
      stopped: this.#stopped === rule,
      values: values.map((value) => value.range()),
    }));
  }

  /** What a probe read of a token; null: nothing. */
  #valueAt(probe: number, reading: EditReading | null, position: number, start: number): number | null {
    if (!wantsToken(this.#wants[probe] as ProbeWants, position, this.#promptLength)) return null;
    if (reading === null) {
      throw new TillerError('step_failed', `The step left out what conditions read at position ${position}.`);
    }
    const at = position - start;
    if (reading.sink(at) !== 0) return null;
    const { threshold, perNorm } = this.#probes[probe] as Probe;
    const a = reading.readingBefore(at);
    const f = a > Math.fround(threshold) ? a : 0;
    if (!perNorm) return f;
    const norm = reading.streamNorm(at);
    return norm > 0 ? f / norm : 0;
  }

  #judge(position: number, values: readonly (number | null)[]): void {
    const isLast = position === this.#promptLength - 1;
    if (position < this.#promptLength) {
      for (const [probe, value] of values.entries()) this.#prompt[probe]?.add(value);
    }
    const readingOf = (probe: number, over: Comparison['over']): number | null => {
      if (over !== 'token') return this.#prompt[probe]?.value(over) ?? null;
      return isLast ? null : (values[probe] ?? null);
    };
    for (const watched of this.#watched) {
      const { comparisons } = watched;
      if (comparisons.some((one) => reads(one, position, this.#promptLength) && values[one.probe] !== null)) {
        watched.tokensRead++;
      }
      if (position >= this.#promptLength - 1) this.#decide(watched, position, isLast, readingOf);
    }
  }

  #decide(
    watched: Watched,
    position: number,
    isLast: boolean,
    readingOf: (probe: number, over: Comparison['over']) => number | null,
  ): void {
    const { rule, comparisons, values, gates, promptOnly } = watched;
    comparisons.forEach(({ probe, over }, at) => {
      const value = (over === 'token') === isLast ? null : readingOf(probe, over);
      if (value !== null) values[at]?.add(value);
    });
    const settled = (rule.latch && watched.holds) || (promptOnly && !isLast);
    if (!settled) {
      watched.holds = evaluate(rule.when, readingOf) === true;
      if (watched.holds) {
        watched.timesFired++;
        watched.firstFired ??= position;
        if (rule.stop) this.#stopped ??= rule;
      }
    }
    gates.push(watched.holds ? 1 : 0);
  }
}

/** Whether a comparison is about the token at this position. */
function reads({ over }: Comparison, position: number, promptLength: number): boolean {
  if (over === 'token') return position >= promptLength;
  if (position === promptLength - 1) return true;
  return over !== 'last' && position >= 1 && position < promptLength;
}
