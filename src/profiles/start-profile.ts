import { nearest, TillerError } from '../../engine/core/index.ts';
import { listProfiles, parseSavedName, type Store } from '../../sae-registry/index.ts';

/**
 * Refuses a default that no model has, before any model is loaded; whether the first one has it is known once its name is. A store
 * that cannot be used is closed.
 */
export function refuseUnknownProfile(store: Store, reference: string): void {
  const wanted = parseSavedName(reference);
  const saved = listProfiles(store, null);
  const fits = saved.some(
    ({ name, version }) => name === wanted?.name && (wanted.version === null || wanted.version === version),
  );
  if (fits) return;
  store.close();
  const names = [...new Set(saved.map(({ name }) => name))];
  const known = names.length === 0 ? 'none is saved' : 'tiller profile list shows those that are';
  throw new TillerError('profile_not_found', `There is no profile '${reference}': ${known}.`, {
    param: 'profile',
    suggestions: nearest(reference, names),
  });
}
