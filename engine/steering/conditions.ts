import { type Comparison, type Condition, comparisonsOf, type PromptAggregate, type Rule } from '../core/rule.ts';

/** A reading as it is known: null where nothing was read (a sink, the reply before its first token). */
export type ReadingOf = (probe: number, over: Comparison['over']) => number | null;

/**
 * Whether a condition holds; null where that depends on what was not read (Kleene's three values). A rule's verdict is true
 * only where this is: what is not known neither edits nor stops, under a `not` either.
 */
export function evaluate(condition: Condition, readingOf: ReadingOf): boolean | null {
  switch (condition.kind) {
    case 'compare': {
      const reading = readingOf(condition.probe, condition.over);
      if (reading === null) return null;
      return condition.above ? reading > condition.threshold : reading < condition.threshold;
    }
    case 'not': {
      const inner = evaluate(condition.of, readingOf);
      return inner === null ? null : !inner;
    }
    default: {
      // `any` is decided by one that is true, `all` by one that is false
      const decides = condition.kind === 'any';
      let unknown = false;
      for (const part of condition.of) {
        const value = evaluate(part, readingOf);
        if (value === decides) return decides;
        unknown ||= value === null;
      }
      return unknown ? null : !decides;
    }
  }
}

/** Which tokens a probe is wanted of. */
export interface ProbeWants {
  /** `all`: all but the first (which a prompt of one token has alone). */
  readonly prompt: 'none' | 'last' | 'all';
  /** Each token of the reply. */
  readonly reply: boolean;
}

/** The same for every probe that rules compare. */
export function probeWants(probes: number, rules: readonly Pick<Rule, 'when'>[]): readonly ProbeWants[] {
  const comparisons = rules.flatMap(({ when }) => comparisonsOf(when));
  return Array.from({ length: probes }, (_, probe) => {
    const overs = comparisons.flatMap((one) => (one.probe === probe ? [one.over] : []));
    const whole = overs.some((over) => over === 'mean' || over === 'max');
    return { prompt: whole ? 'all' : overs.includes('last') ? 'last' : 'none', reply: overs.includes('token') };
  });
}

/** Whether a probe is wanted of the token at this position. */
export function wantsToken({ prompt, reply }: ProbeWants, position: number, promptLength: number): boolean {
  if (position >= promptLength) return reply;
  if (position === promptLength - 1) return prompt !== 'none';
  return prompt === 'all' && position >= 1;
}

/** The readings of a prompt, one at a time, to what is compared. */
export class PromptReading {
  #last: number | null = null;
  #sum = 0;
  #count = 0;
  #largest = Number.NEGATIVE_INFINITY;

  /** Null: the token was not read. */
  add(reading: number | null): void {
    this.#last = reading;
    if (reading === null) return;
    this.#sum += reading;
    this.#count++;
    this.#largest = Math.max(this.#largest, reading);
  }

  /** Null where no token was read that it is about. */
  value(aggregate: PromptAggregate): number | null {
    if (aggregate === 'last') return this.#last;
    if (this.#count === 0) return null;
    return aggregate === 'mean' ? this.#sum / this.#count : this.#largest;
  }
}
