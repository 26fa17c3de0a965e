import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TillerError } from '../../core/index.ts';
import { fetchFiles, firstDamaged } from './acquire-repository.ts';
import { lockOptions, withWritableFolder } from './cache-access.ts';
import { withFileLock } from './file-lock.ts';
import { anyName, fetchListing } from './hub-listing.ts';
import type { NamedFile } from './model-cache.ts';
import type { AcquireOptions } from './options.ts';
import { manifestPath, readManifest, writeManifest } from './repository-manifest.ts';
import { type RepositoryName, repositoryLabel } from './repository-name.ts';

/** Files of a repository, kept in a folder of the cache under the paths that they have there. */
export interface AcquiredFiles {
  /** What the revision meant when they were fetched. */
  readonly commit: string;
  readonly files: readonly NamedFile[];
}

/**
 * Gets some files of a repository of the Hub into `folder`, each checked against the size and digest that the Hub states; `choose`
 * says which, of all whose paths are plain. `what` names the choice: the same one is then taken from the folder without asking the Hub.
 * Throws as `acquireModel` does, and what `choose` throws.
 */
export async function acquireFiles(
  name: RepositoryName,
  folder: string,
  what: string,
  choose: (files: readonly NamedFile[]) => readonly NamedFile[],
  options: AcquireOptions,
): Promise<AcquiredFiles> {
  const label = repositoryLabel(name);
  const path = join(folder, '.manifests', `${encodeURIComponent(what === '' ? '.' : what)}.json`);
  const known = await readManifest(folder, path);
  if (known && !options.verify && (await firstDamaged(folder, known, options)) === null) return known;
  if (options.offline) {
    const message = `${label} ${what} is not whole in the cache (${folder}) and --offline forbids the network.`;
    throw new TillerError('model_unavailable', message, { param: 'offline' });
  }
  const fetchLocked = async (signal: AbortSignal) => {
    const { commit, files } = await fetchListing(name, { ...options, signal }, anyName);
    const chosen = choose(files);
    await fetchFiles(name, commit, folder, chosen, { ...options, signal });
    await mkdir(dirname(path), { recursive: true });
    const { repository, revision } = name;
    const manifest = { repository, revision, commit, checkpoint: null, files: [...chosen] } as Parameters<
      typeof writeManifest
    >[1];
    await writeManifest(folder, manifest, path);
    return { commit, files: chosen };
  };
  const signal = options.signal ?? new AbortController().signal;
  return withWritableFolder(folder, 0, () =>
    withFileLock(manifestPath(folder), { ...lockOptions(label, options), signal }, fetchLocked),
  );
}
