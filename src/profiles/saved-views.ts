import { comparisonsOf } from '../../engine/core/index.ts';
import type { ProfileDetail, ProfileVersion, VectorDetail, VectorVersion } from '../../routes/services.ts';
import type { FrozenEdit, ProfileSummary, SavedProfile, SavedVector, VectorSummary } from '../../sae-registry/index.ts';

/** A saved vector's version as the port shows it. */
export function vectorVersion(vector: SavedVector | VectorSummary): VectorVersion {
  const { model, name, version, description, method, addedAt } = vector;
  const hookPoints = 'hookPoints' in vector ? vector.hookPoints : vector.directions.map(({ hookPoint }) => hookPoint);
  return { model, name, version, description, method, addedUnixMilliseconds: addedAt, hookPoints };
}

/** The same with its floats. */
export function vectorDetail(vector: SavedVector): VectorDetail {
  return { ...vectorVersion(vector), origin: vector.origin, directions: vector.directions };
}

/** A profile's version as the port shows it. */
export function profileVersion(profile: ProfileSummary): ProfileVersion {
  const { model, name, version, description, addedAt, fingerprint } = profile;
  return { model, name, version, description, addedUnixMilliseconds: addedAt, fingerprint };
}

/** The same with what was asked for and what runs. */
export function profileDetail(profile: SavedProfile): ProfileDetail {
  return {
    ...profileVersion(profile),
    steering: profile.steering,
    edits: profile.frozen.edits.map(runningEdit),
    rules: profile.frozen.rules.map(({ when, latch, stop, edits }) => ({
      latch,
      stop,
      comparisons: comparisonsOf(when).map(({ target, hook_point: hookPoint, over, above, threshold }) => ({
        ...{ target, hookPoint, over, above, threshold },
      })),
      edits: edits.map(runningEdit),
    })),
  };
}

function runningEdit({ target, hook_point: hookPoint, mode, number, positions }: FrozenEdit) {
  return { target, hookPoint, mode, number, positions };
}
