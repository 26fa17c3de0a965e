import { comparisonsOf, type EditReport, type RuleReport } from '../engine/index.ts';
import type { SteeringBlockEdit, SteeringBlockRule } from '../routes/services.ts';
import type { CompiledSteering, SteeringRule } from './compile-steering.ts';

/**
 * What the answer says about each rule, of all choices together: counts add up, ranges join, means weigh by choices.
 *
 * @param reports of each choice, those of its rules
 * @param describe what is said of a rule's edits, from each choice's reports of them
 */
export function describeRules(
  { rules }: Pick<CompiledSteering, 'rules'>,
  reports: readonly (readonly RuleReport[])[],
  describe: (rule: number, edits: readonly (readonly EditReport[])[]) => readonly SteeringBlockEdit[],
): SteeringBlockRule[] {
  return rules.map((rule, at) => {
    const own = reports.flatMap((choice) => choice[at] ?? []);
    return {
      ...(rule.fromProfile ? { from_profile: true as const } : {}),
      tokens_read: sum(own.map(({ tokensRead }) => tokensRead)),
      first_fired: own.find(({ firstFired }) => firstFired !== null)?.firstFired ?? null,
      times_fired: sum(own.map(({ timesFired }) => timesFired)),
      latched: own.some(({ latched }) => latched),
      stopped: own.some(({ stopped }) => stopped),
      comparisons: describeComparisons(rule, own),
      edits: describe(
        at,
        own.map(({ edits }) => edits),
      ),
    };
  });
}

function describeComparisons(
  { specification }: SteeringRule,
  reports: readonly RuleReport[],
): SteeringBlockRule['comparisons'] {
  return comparisonsOf(specification.when).map(({ target, unit, scale, probe }, at) => {
    const ranges = reports.flatMap(({ values }) => values[at] ?? []);
    return {
      target,
      hook_point: probe.hookPoint,
      // a probe reports what it reads, whose logistic function is the probability
      unit: unit === 'probability' ? 'raw' : unit,
      read:
        ranges.length === 0
          ? null
          : {
              min: Math.min(...ranges.map(({ min }) => min)) / scale,
              max: Math.max(...ranges.map(({ max }) => max)) / scale,
              mean: sum(ranges.map(({ mean }) => mean)) / ranges.length / scale,
            },
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
