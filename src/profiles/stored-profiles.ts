import {
  deleteProfile,
  findProfile,
  listProfiles,
  type ProfileSummary,
  readProfile,
  type SavedProfile,
  type Store,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { locateSaved } from '../locate-saved.ts';
import { withStore } from '../with-store.ts';
import { SavedSteerings } from './saved-steerings.ts';

/** What commands do with saved profiles without any model: `[model@]name[:version]` names one, of whatever model. */

/** Every version of every model's profiles. */
export async function listStoredProfiles(config: Config): Promise<readonly ProfileSummary[]> {
  return withStore(config, (store) => listProfiles(store, null));
}

/** Throws `profile_not_found`, and `invalid_request` where several models have one of that name. */
export async function readStoredProfile(config: Config, reference: string): Promise<SavedProfile> {
  return withStore(config, (store) => {
    const { model, name } = locate(store, reference);
    return readProfile(store, findProfile(store, model, name, 'name').id);
  });
}

/**
 * Deletes that version, or all of a name, and says which. Throws as `readStoredProfile`, and `in_use` where it is the default of a
 * running service. Requests of such a service that run with it have it in memory and finish.
 */
export async function deleteStoredProfile(config: Config, reference: string): Promise<readonly number[]> {
  return withStore(config, (store) => {
    const { model, name } = locate(store, reference);
    return deleteProfile(store, model, name, { param: 'name', heldBy: (id) => new SavedSteerings(store).heldBy(id) });
  });
}

/** Whose profile it is; `name` keeps its version. */
function locate(store: Store, reference: string) {
  return locateSaved('profile', reference, () => listProfiles(store, null));
}
