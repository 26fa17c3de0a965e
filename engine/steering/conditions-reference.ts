import type { Comparison, Condition, Probe, Rule, RuleSet } from '../core/rule.ts';

/** What a probe reads of one token: x·direction + bias, and ‖x‖, on the stream before any edit. */
export interface TokenReading {
  readonly a: number;
  readonly norm: number;
}

/**
 * Which rules hold at which tokens, from the definitions, with everything worked out anew for every token: the truth that the
 * incremental form (rule-state.ts) is tested against.
 *
 *     holds(rule, p) = p ≥ P and verdict(rule, p − 1), or for a rule with a latch any verdict(rule, q) with P − 1 ≤ q < p
 *     verdict(rule, q) = its condition over the token q of the reply and over the prompt; what is unknown is not true
 *
 * @param readings [probe][position], for positions 0 … n − 1
 * @returns [rule][position], for positions 0 … n: what holds at the token that follows too
 */
export function referenceHolds(
  { probes, rules }: RuleSet,
  promptLength: number,
  readings: readonly (readonly TokenReading[])[],
): readonly (readonly boolean[])[] {
  const positions = (readings[0]?.length ?? 0) + 1;
  const valueAt = (probe: number, position: number) =>
    value(probes[probe] as Probe, readings[probe]?.[position] as TokenReading);
  const compared = ({ probe, over }: Comparison, position: number): number | null => {
    if (over === 'token') return position < promptLength ? null : valueAt(probe, position);
    if (over === 'last') return valueAt(probe, promptLength - 1);
    const first = promptLength === 1 ? 0 : 1;
    const values = [];
    for (let at = first; at < promptLength; at++) {
      const one = valueAt(probe, at);
      if (one !== null) values.push(one);
    }
    if (values.length === 0) return null;
    return over === 'max' ? Math.max(...values) : values.reduce((sum, one) => sum + one, 0) / values.length;
  };
  const verdict = (rule: Rule, position: number) =>
    truth(rule.when, (comparison) => {
      const found = compared(comparison, position);
      if (found === null) return 'unknown';
      return comparison.above ? found > comparison.threshold : found < comparison.threshold;
    }) === true;
  return rules.map((rule) =>
    Array.from({ length: positions }, (_, position) => {
      if (position < promptLength) return false;
      if (!rule.latch) return verdict(rule, position - 1);
      return Array.from({ length: position - promptLength + 1 }, (__, at) => promptLength - 1 + at).some((before) =>
        verdict(rule, before),
      );
    }),
  );
}

function value({ threshold, sinkNorm, perNorm }: Probe, { a, norm }: TokenReading): number | null {
  if (norm > sinkNorm) return null;
  const f = a > threshold ? a : 0;
  if (!perNorm) return f;
  return norm === 0 ? 0 : f / norm;
}

type Truth = boolean | 'unknown';

/** Kleene's tables, as they are written. */
function truth(condition: Condition, of: (comparison: Comparison) => Truth): Truth {
  if (condition.kind === 'compare') return of(condition);
  if (condition.kind === 'not') {
    const inner = truth(condition.of, of);
    return inner === 'unknown' ? inner : !inner;
  }
  const values = condition.of.map((part) => truth(part, of));
  if (condition.kind === 'all') {
    if (values.includes(false)) return false;
    return values.includes('unknown') ? 'unknown' : true;
  }
  if (values.includes(true)) return true;
  return values.includes('unknown') ? 'unknown' : false;
}
