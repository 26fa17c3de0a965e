import { TillerError } from '../../engine/core/index.ts';
import type { ProfileService, VectorService } from '../../routes/services.ts';
import {
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
    remove: (model, reference) => deleteVector(saved.store, model, reference, 'name'),
  };
}

/** Saved profiles as the routes see them. */
export function profileService(saved: SavedSteerings): ProfileService {
  const find = (model: string, reference: string) =>
    readProfile(saved.store, findProfile(saved.store, model, reference, 'name').id);
  const heldBy = (id: number): string | null => {
    if (saved.defaults.has(id)) return 'it is the default: set another first (PUT /api/v1/profiles/default)';
    const running = saved.uses.count(id);
    if (running === 0) return null;
    return running === 1 ? 'a running request uses it' : `${running} running requests use it`;
  };
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
    remove: (model, reference) => deleteProfile(saved.store, model, reference, { param: 'name', heldBy }),
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
        saved.defaults.set(model, null);
        return byDefault(model);
      }
      const runnable = typeof chosen === 'string' ? saved.profile(model, chosen, 'profile') : chosen;
      saved.defaults.set(model, { profile: runnable, on: on ?? (profile === undefined ? (before?.on ?? true) : true) });
      return byDefault(model);
    },
  };
}
