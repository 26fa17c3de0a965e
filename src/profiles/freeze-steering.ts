import {
  type CompiledEdit,
  comparisonsOf,
  mapComparisons,
  type ReadComparison,
  type RuleSet,
  type RuleSpecification,
} from '../../engine/index.ts';
import type { ProfileFingerprint, SteeringRequest } from '../../routes/services.ts';
import { type Freezable, type FrozenSteering, freeze, frozenHash } from '../../sae-registry/index.ts';
import { compileSteering, type SteeringContext, type SteeringPart } from '../compile-steering.ts';
import { joinPins, pinnedBy, pinnedOf } from '../steering-fingerprint.ts';

/** A steering that depends on nothing outside itself. */
export interface Frozen {
  readonly frozen: FrozenSteering;
  readonly fingerprint: ProfileFingerprint;
  /** Rows of the saved vectors that it was made with. */
  readonly vectors: readonly number[];
}

/** Freezes a steering as it would run now, the edits of a profile that it names included. Throws as `compileSteering`. */
export function freezeSteering(request: SteeringRequest, context: SteeringContext): Frozen {
  const { parts, compiled, profile, rules, compiledRules } = compileSteering(request, {
    ...context,
    promptLengths: null,
  });
  const frozen = freeze(
    freezable(parts, compiled),
    rules.map((rule, at) => ({
      specification: inPlace(rule.specification, compiledRules?.set ?? null, at),
      edits: freezable(rule.parts, compiledRules?.edits[at] ?? []),
    })),
  );
  const own = pinnedBy(
    [
      ...parts.flatMap(({ specification, fromProfile }) => (fromProfile ? [] : [specification])),
      ...rules.flatMap((rule) => (rule.fromProfile ? [] : pinnedOf(rule))),
    ],
    context,
  );
  const { id: model, hash: model_hash } = context.card;
  const pins = profile ? joinPins(profile.saved.fingerprint, own) : own;
  return {
    frozen,
    fingerprint: { model, model_hash, ...pins, hash: frozenHash(frozen) },
    vectors: [
      ...(profile?.saved.vectors ?? []),
      ...[...parts, ...rules.flatMap((rule) => rule.parts)].flatMap(({ vector }) => vector ?? []),
      ...rules.flatMap((rule) => rule.vectors),
    ],
  };
}

function freezable(parts: readonly SteeringPart[], compiled: readonly CompiledEdit[]): Freezable[] {
  return compiled.map(({ edit, rawNumber, specification: at }) => ({
    specification: (parts[at] as SteeringPart).specification,
    rawNumber,
    hookPoint: edit.hookPoint,
    reads: edit.read !== null,
  }));
}

/** The rule with the places that it reads at in canonical spelling. */
function inPlace(specification: RuleSpecification, set: RuleSet | null, at: number): RuleSpecification {
  const rule = set?.rules[at];
  const compiled = rule ? [...comparisonsOf(rule.when)] : [];
  const when = mapComparisons(specification.when, (one: ReadComparison): ReadComparison => {
    const probe = set?.probes[compiled.shift()?.probe ?? -1];
    return probe ? { ...one, probe } : one;
  });
  return { ...specification, when };
}
