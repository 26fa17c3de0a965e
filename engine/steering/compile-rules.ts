import { resolveHookPoint } from '../core/hook-point-names.ts';
import { hookPointWidth, whyNotEditable } from '../core/hook-point-shapes.ts';
import { comparisonsOf, mapComparisons, type Probe, type Rule, type RuleSet } from '../core/rule.ts';
import type { EditSpecification, ReadComparison, RuleSpecification } from '../core/steering.ts';
import { type CompiledEdit, type CompileOptions, compileEdits } from './compile-edits.ts';
import type { Compiling } from './conflicts.ts';
import { refuse } from './refusals.ts';
import { refuseIdle, refuseMeeting } from './rule-conflicts.ts';

export interface CompiledRules {
  readonly set: RuleSet;
  /** Of each rule, its edits as `compileEdits` gives them. */
  readonly edits: readonly (readonly CompiledEdit[])[];
}

/** What holds at every token, compiled: rules must not contradict it. */
export interface Always {
  readonly specifications: readonly EditSpecification[];
  readonly compiled: readonly CompiledEdit[];
}

/**
 * Turns rules with their targets looked up into what the engine takes, or refuses with the reason: what `compileEdits` refuses of their
 * edits, edits that no condition can let through, what rules would do to one token together, and probes that cannot be read where they
 * are. Equal probes are read once. Edits and probes together count against `maxEdits`.
 */
export function compileRules(
  specifications: readonly RuleSpecification[],
  always: Always,
  options: CompileOptions,
): CompiledRules {
  const edits = specifications.map(({ edits: own }) => {
    refuseIdle(own.map((specification) => ({ specification })));
    return compileEdits(own, options);
  });
  refuseMeeting([
    entriesOf(always.specifications, always.compiled),
    ...specifications.map((rule, at) => entriesOf(rule.edits, edits[at] ?? [])),
  ]);
  const probes: Probe[] = [];
  const rules = specifications.map(
    ({ when, latch, stop, param }, at): Rule => ({
      when: mapComparisons(when, ({ above, threshold, over, probe }: ReadComparison) => ({
        ...{ kind: 'compare' as const, above, threshold, over },
        probe: placeOf(probes, checked(probe, `${param}.when`, options)),
      })),
      latch,
      stop,
      edits: (edits[at] ?? []).map(({ edit }) => edit),
      param,
    }),
  );
  const count = always.compiled.length + edits.flat().length + probes.length;
  if (count > options.maxEdits) refuse('tooManyEdits', 'steering.rules', { count, limit: options.maxEdits });
  return { set: { probes, rules }, edits };
}

/** The comparisons of rules, in the order in which their reports come. */
export function comparisonsOfRule({ when }: Pick<RuleSpecification, 'when'>): readonly ReadComparison[] {
  return comparisonsOf(when);
}

function entriesOf(specifications: readonly EditSpecification[], compiled: readonly CompiledEdit[]): Compiling[] {
  return compiled.map(({ edit, specification }) => ({
    edit,
    specification: specifications[specification] as EditSpecification,
  }));
}

/** The probe at the canonical spelling of its place, which it must be as wide as. */
function checked(probe: Probe, param: string, options: CompileOptions): Probe {
  const hookPoint = resolveHookPoint(probe.hookPoint, options, param);
  const reason = whyNotEditable(hookPoint);
  if (reason !== null) refuse('notEditable', param, { hookPoint, reason });
  const width = hookPointWidth(options.hookPoints ?? new Map(), hookPoint) ?? options.dModel;
  const { length } = probe.direction;
  if (length !== width) refuse('wrongWidth', param, { length, hookPoint, width });
  const index = probe.direction.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) refuse('directionNotFinite', param, { index });
  return hookPoint === probe.hookPoint ? probe : { ...probe, hookPoint };
}

/** Where the probe stands among `probes`, to which it is added if it is new. */
function placeOf(probes: Probe[], probe: Probe): number {
  const at = probes.findIndex(
    (one) =>
      one.hookPoint === probe.hookPoint &&
      one.bias === probe.bias &&
      one.threshold === probe.threshold &&
      one.sinkNorm === probe.sinkNorm &&
      one.perNorm === probe.perNorm &&
      one.direction.every((value, i) => value === probe.direction[i]),
  );
  return at < 0 ? probes.push(probe) - 1 : at;
}
