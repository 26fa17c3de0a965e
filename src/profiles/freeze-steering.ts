import type { ProfileFingerprint, SteeringRequest } from '../../routes/services.ts';
import { type FrozenSteering, freeze, frozenHash } from '../../sae-registry/index.ts';
import { compileSteering, type SteeringContext } from '../compile-steering.ts';
import { joinPins, pinnedBy } from '../steering-fingerprint.ts';

/** A steering that depends on nothing outside itself. */
export interface Frozen {
  readonly frozen: FrozenSteering;
  readonly fingerprint: ProfileFingerprint;
  /** Rows of the saved vectors that it was made with. */
  readonly vectors: readonly number[];
}

/** Freezes a steering as it would run now, the edits of a profile that it names included. Throws as `compileSteering`. */
export function freezeSteering(request: SteeringRequest, context: SteeringContext): Frozen {
  const { parts, compiled, profile } = compileSteering(request, { ...context, promptLengths: null });
  const frozen = freeze(
    compiled.map(({ edit, rawNumber, specification: at }) => ({
      specification: (parts[at] as (typeof parts)[number]).specification,
      rawNumber,
      hookPoint: edit.hookPoint,
      reads: edit.read !== null,
    })),
  );
  const own = pinnedBy(
    parts.flatMap(({ specification, fromProfile }) => (fromProfile ? [] : [specification])),
    context,
  );
  const { id: model, hash: model_hash } = context.card;
  const pins = profile ? joinPins(profile.saved.fingerprint, own) : own;
  return {
    frozen,
    fingerprint: { model, model_hash, ...pins, hash: frozenHash(frozen) },
    vectors: [...(profile?.saved.vectors ?? []), ...parts.flatMap(({ vector }) => vector ?? [])],
  };
}
