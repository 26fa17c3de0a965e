import { mkdir, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { TillerError } from '../../core/index.ts';
import { tableBounds } from '../limits.ts';
import { readJson } from '../local-file.ts';
import { parseSafetensorsIndex, safetensorsIndexName } from '../safetensors-index.ts';
import { explainFailure, lockOptions, withWritableFolder } from './cache-access.ts';
import { requireSpace } from './disk-space.ts';
import { withFileLock } from './file-lock.ts';
import { downloadFromHub, dropPartial } from './hub-download.ts';
import { fetchListing } from './hub-listing.ts';
import { lookUp, type NamedFile, placeIn, publish, removeCached } from './model-cache.ts';
import type { AcquiredModel, AcquireOptions } from './options.ts';
import { chooseFiles } from './repository-files.ts';
import { manifestPath, type RepositoryManifest, readManifest, writeManifest } from './repository-manifest.ts';
import { modelNameOf, type RepositoryName, repositoryFolderName, repositoryLabel } from './repository-name.ts';

type Locked = AcquireOptions & { readonly signal: AbortSignal };

/**
 * Gets a repository of the Hub at a revision: config, tokenizer and safetensors (or the one GGUF file that is meant), each file
 * checked against the size and digest that the Hub states. What the cache holds whole is used without asking the Hub, so a branch
 * stays where it was when it was fetched; `verify` asks again, and fetches what has changed. A file that has arrived stays when
 * another one fails.
 *
 * Throws `model_not_found` (nothing in it fits), `checkpoint_unsupported` (pickled weights), `model_unavailable` (with what the Hub
 * said: which licence to accept, that there is no such revision), `checksum_mismatch`, `disk_full`, `cancelled`.
 */
export async function acquireRepository(name: RepositoryName, options: AcquireOptions): Promise<AcquiredModel> {
  const folder = join(resolve(options.cacheDirectory), 'models', ...repositoryFolderName(name));
  const known = await readManifest(folder);
  if (known && (options.offline || !options.verify)) {
    const damaged = await firstDamaged(folder, known, options);
    if (damaged === null) return acquired(name, folder, known, 'cache');
    const message = `The cached file ${damaged} of ${repositoryLabel(name)} is missing or damaged`;
    if (options.offline)
      throw new TillerError('checksum_mismatch', `${message}; run \`tiller pull\` without --offline.`);
    options.onNotice?.(`${message} and is fetched again.`);
  }
  if (options.offline) {
    throw new TillerError(
      'model_unavailable',
      `${repositoryLabel(name)} is not in the cache (${folder}) and --offline forbids the network. ` +
        `Run \`tiller pull ${repositoryLabel(name)}\` once without --offline, or give a path with --model.`,
      { param: 'model' },
    );
  }
  const work = () =>
    withFileLock(
      manifestPath(folder),
      { ...lockOptions(repositoryLabel(name), options), signal: options.signal },
      (signal) => fetchLocked(name, folder, { ...options, signal }),
    );
  return withWritableFolder(folder, 0, work).catch(async (error: unknown) => {
    // A folder that nothing has come into goes away again, its repository's too.
    await rmdir(folder)
      .then(() => rmdir(dirname(folder)))
      .catch(() => undefined);
    throw error;
  });
}

function acquired(
  name: RepositoryName,
  folder: string,
  { checkpoint }: RepositoryManifest,
  source: AcquiredModel['source'],
): AcquiredModel {
  return { name: modelNameOf(name, checkpoint), path: checkpoint === null ? folder : join(folder, checkpoint), source };
}

/** The name of a file that is not what the manifest says; null where all are. */
export async function firstDamaged(
  folder: string,
  { files }: Pick<RepositoryManifest, 'files'>,
  options: AcquireOptions,
): Promise<string | null> {
  for (const file of files) {
    if ((await lookUp(placeIn(folder, file.name), file, { ...options, rehash: options.verify })) !== 'hit')
      return file.name;
  }
  return null;
}

async function fetchLocked(name: RepositoryName, folder: string, options: Locked): Promise<AcquiredModel> {
  // Another process may have finished while this one waited for the lock.
  const known = await readManifest(folder);
  if (known && !options.verify && (await firstDamaged(folder, known, options)) === null) {
    return acquired(name, folder, known, 'cache');
  }
  const { commit, files } = await fetchListing(name, options);
  const choice = chooseFiles(name, files);
  const fetchAll = (wanted: readonly NamedFile[]) => fetchFiles(name, commit, folder, wanted, options);
  let fetched: readonly NamedFile[];
  if (choice.kind === 'gguf') {
    fetched = [choice.file];
    await fetchAll(fetched);
  } else {
    const described = [...choice.beside, choice.weights];
    await fetchAll(choice.weights.name === safetensorsIndexName ? described : choice.beside);
    const shards =
      choice.weights.name === safetensorsIndexName ? await shardsOf(name, folder, files) : [choice.weights];
    await fetchAll(shards);
    fetched = [...new Set([...described, ...shards])];
  }
  const { repository, revision } = name;
  const checkpoint = choice.kind === 'gguf' ? choice.file.name : null;
  const manifest = { repository, revision, commit, checkpoint, files: [...fetched] } as RepositoryManifest;
  await writeManifest(folder, manifest);
  return acquired(name, folder, manifest, 'hub');
}

/** The shards that the index names, which has just been fetched. */
async function shardsOf(name: RepositoryName, folder: string, files: readonly NamedFile[]): Promise<NamedFile[]> {
  const path = join(folder, safetensorsIndexName);
  const json = await readJson(path, tableBounds);
  return [...new Set(parseSafetensorsIndex(path, json).values())].sort().map((shard) => {
    const file = files.find((candidate) => candidate.name === shard);
    if (file) return file;
    throw new TillerError('model_not_found', `${repositoryLabel(name)} lacks the shard ${shard} that its index names.`);
  });
}

/** Fetches those of a repository's files that the folder does not hold whole. Only while holding a lock. */
export async function fetchFiles(
  name: RepositoryName,
  commit: string,
  folder: string,
  wanted: readonly NamedFile[],
  options: Locked,
): Promise<void> {
  const missing: NamedFile[] = [];
  for (const file of wanted) {
    const place = placeIn(folder, file.name);
    const found = await lookUp(place, file, { ...options, rehash: options.verify });
    if (found === 'hit') continue;
    if (found !== 'miss') await removeCached(place);
    missing.push(file);
  }
  const bytes = missing.reduce((sum, file) => sum + file.bytes, 0);
  if (missing.length > 0) await requireSpace(folder, bytes, options.freeBytes);
  for (const file of missing) await fetchFile(name, commit, folder, file, options);
}

async function fetchFile(
  name: RepositoryName,
  commit: string,
  folder: string,
  file: NamedFile,
  options: Locked,
): Promise<void> {
  const place = placeIn(folder, file.name);
  await mkdir(dirname(place.path), { recursive: true });
  const context = { ...options, expected: file, partialPath: place.partialPath, folder };
  try {
    await downloadFromHub({ kind: 'hub', repository: name.repository, file: file.name, revision: commit }, context);
    await publish(place, place.partialPath, file);
    await dropPartial(place.partialPath);
  } catch (thrown) {
    const error = await explainFailure(thrown, file.bytes, context);
    if (error.code === 'disk_full' || error.code === 'cancelled') throw error;
    const message = `Could not get ${file.name} of ${repositoryLabel(name)}: ${error.message}.`;
    throw new TillerError(error.code, message, { param: 'model', cause: error });
  }
}
