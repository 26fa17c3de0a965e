import { TillerError } from '../../engine/core/index.ts';
import type { ProfileService, VectorService } from '../../routes/services.ts';
import {
  controlVectorFile,
  deleteProfile,
  deleteVector,
  findProfile,
  findVector,
  formatSavedName,
  listProfiles,
  listVectors,
  readProfile,
  toProfileFile,
} from '../../sae-registry/index.ts';
import type { SavedSteerings } from './saved-steerings.ts';
import { profileDetail, profileVersion, vectorDetail, vectorVersion } from './saved-views.ts';

/** Saved vectors as the routes see them. */
export function vectorService(saved: SavedSteerings): VectorService {
  return {
    list: (model) => listVectors(saved.store, model).map(vectorVersion),
    get: (model, reference) => vectorDetail(findVector(saved.store, model, reference, 'name')),
    controlVector: (model, reference) => {
      const { name, directions } = findVector(saved.store, model, reference, 'name');
      const file = controlVectorFile(
        directions.map((direction) => ({ name, ...direction })),
        model,
      );
      return Uint8Array.from(file);
    },
    remove: (model, reference) => deleteVector(saved.store, model, reference, 'name'),
  };
}

/** Saved profiles as the routes see them. `check` throws where one cannot steer a model that is loaded. */
export function profileService(
  saved: SavedSteerings,
  check: (model: string, reference: string) => void,
): ProfileService {
  const find = (model: string, reference: string) =>
    readProfile(saved.store, findProfile(saved.store, model, reference, 'name').id);
  const byDefault: ProfileService['default'] = (model) => {
    const steering = saved.defaults.of(model);
    return {
      model,
      profile: steering && formatSavedName(steering.profile.saved),
      on: steering?.on ?? false,
    };
  };
  return {
    list: (model, name) => (saved.isOpen ? listProfiles(saved.store, model, name ?? null).map(profileVersion) : []),
    get: (model, reference) => profileDetail(find(model, reference)),
    remove: (model, reference) =>
      deleteProfile(saved.store, model, reference, { param: 'name', heldBy: (id) => saved.heldBy(id) }),
    exported: (model, reference) => toProfileFile(find(model, reference)),
    default: byDefault,
    setDefault(model, { profile, on }) {
      const before = saved.defaults.of(model);
      const chosen = profile === undefined ? (before?.profile ?? null) : profile;
      if (chosen === null) {
        if (on === true) {
          const message = `No default is set for ${model}, so there is none to switch on: name a 'profile'.`;
          throw new TillerError('invalid_request', message, { param: 'on' });
        }
        saved.setDefault(model, null);
        return byDefault(model);
      }
      const runnable = typeof chosen === 'string' ? saved.profile(model, chosen, 'profile') : chosen;
      if (profile !== undefined) check(model, formatSavedName(runnable.saved));
      saved.setDefault(model, { profile: runnable, on: on ?? (profile === undefined ? (before?.on ?? true) : true) });
      return byDefault(model);
    },
  };
}
