import { nearest, TillerError } from '../../engine/core/index.ts';
import {
  deleteProfile,
  findProfile,
  listProfiles,
  openStore,
  type ProfileSummary,
  readProfile,
  type SavedProfile,
  type Store,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { storePath } from '../data-directory.ts';

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
 * Deletes that version, or all of a name, and says which. Throws as `readStoredProfile`. A service that runs with one has it in
 * memory: it goes on with its default, and refuses the name to others from now on.
 */
export async function deleteStoredProfile(config: Config, reference: string): Promise<readonly number[]> {
  return withStore(config, (store) => {
    const { model, name } = locate(store, reference);
    return deleteProfile(store, model, name, { param: 'name', heldBy: () => null });
  });
}

/** Whose profile it is; `name` keeps its version. */
function locate(store: Store, reference: string): { readonly model: string; readonly name: string } {
  const at = reference.lastIndexOf('@');
  const name = reference.slice(at + 1);
  if (at >= 0) return { model: reference.slice(0, at), name };
  const all = listProfiles(store, null);
  const models = [...new Set(all.flatMap((one) => (one.name === name.split(':')[0] ? [one.model] : [])))];
  const [model, ...others] = models;
  if (model === undefined) {
    const names = [...new Set(all.map((one) => one.name))];
    const known = names.length === 0 ? 'none is saved' : 'tiller profile list shows those that are';
    const suggestions = nearest(name, names);
    throw new TillerError('profile_not_found', `There is no profile '${name}': ${known}.`, {
      param: 'name',
      suggestions,
    });
  }
  if (others.length === 0) return { model, name };
  const message = `Several models have a profile '${name}': say which, as ${models.map((one) => `${one}@${name}`).join(' or ')}.`;
  throw new TillerError('invalid_request', message, {
    param: 'name',
    suggestions: models.map((one) => `${one}@${name}`),
  });
}

async function withStore<T>(config: Config, work: (store: Store) => T): Promise<T> {
  const store = await openStore(storePath(config));
  try {
    return work(store);
  } finally {
    store.close();
  }
}
