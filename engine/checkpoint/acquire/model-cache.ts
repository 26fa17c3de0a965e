import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { ProgressListener, TillerError } from '../../core/index.ts';
import { type CatalogFile, catalog } from './catalog.ts';
import { digestOf, type ExpectedFile, mismatch } from './expected-file.ts';
import { hashFile } from './received-file.ts';

/** Left next to a file when its bytes were last hashed and right. */
const verificationMark = z.object({
  sha256: z.string().optional(),
  gitBlob: z.string().optional(),
  bytes: z.number(),
  /** Modification time of the file at that moment: a file touched since is hashed again. */
  modifiedMilliseconds: z.number(),
});

/** Where one model's file lies in the cache, and what may lie next to it. */
export interface CachePlace {
  readonly folder: string;
  readonly path: string;
  readonly partialPath: string;
  readonly markPath: string;
}

/** A file by its name in the cache or in a repository. */
export interface NamedFile extends ExpectedFile {
  readonly name: string;
}

export function cachePlace(cacheDirectory: string, model: CatalogFile): CachePlace {
  return placeIn(join(cacheDirectory, 'models', model.name), model.file.name);
}

/** The place of a file in a folder of the cache. */
export function placeIn(folder: string, name: string): CachePlace {
  const path = join(folder, name);
  return { folder, path, partialPath: `${path}.partial`, markPath: `${path}.verified.json` };
}

/**
 * Whether the cache holds the file: by size and the mark of the last hashing, or by hashing it again when there is no valid
 * mark or `rehash` asks for it. A file that is there but wrong is returned as the error that says so. Needs no write access.
 */
export async function lookUp(
  place: CachePlace,
  expected: NamedFile,
  options: { readonly rehash?: boolean; readonly onProgress?: ProgressListener; readonly signal?: AbortSignal } = {},
): Promise<'hit' | 'miss' | TillerError> {
  const found = await stat(place.path).catch(() => null);
  if (!found) return 'miss';
  if (found.size !== expected.bytes) return mismatch({ bytes: found.size, digest: null }, expected);
  if (!options.rehash && (await markIsValid(place, expected, found.mtimeMs))) return 'hit';
  let done = 0;
  const digest = await hashFile(
    place.path,
    expected,
    (bytes) => {
      done += bytes;
      options.onProgress?.({ label: `Verifying ${expected.name}`, done, total: expected.bytes, unit: 'bytes' });
    },
    options.signal,
  );
  if (digest !== digestOf(expected).hex) return mismatch({ bytes: found.size, digest }, expected);
  // A read-only cache stays usable; it is only hashed again next time.
  await writeMark(place, expected).catch(() => undefined);
  return 'hit';
}

async function markIsValid(place: CachePlace, expected: ExpectedFile, modified: number): Promise<boolean> {
  const text = await readFile(place.markPath, 'utf8').catch(() => null);
  if (text === null) return false;
  const mark = verificationMark.safeParse(parseJson(text));
  return (
    mark.success &&
    mark.data.sha256 === expected.sha256 &&
    mark.data.gitBlob === expected.gitBlob &&
    mark.data.bytes === expected.bytes &&
    mark.data.modifiedMilliseconds === modified
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function writeMark(place: CachePlace, { sha256, gitBlob, bytes }: ExpectedFile): Promise<void> {
  const { mtimeMs } = await stat(place.path);
  const mark = { sha256, gitBlob, bytes, modifiedMilliseconds: mtimeMs };
  await writeFile(place.markPath, `${JSON.stringify(mark)}\n`);
}

/** Moves a verified file (already brought to the disk) into its place in one step, and leaves the mark. */
export async function publish(place: CachePlace, received: string, expected: ExpectedFile): Promise<void> {
  await rename(received, place.path);
  await syncFolder(place.folder);
  await writeMark(place, expected);
}

/** The rename itself reaches the disk only with its folder. Windows cannot open folders and needs no such step. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the folder, and removes what a run that was killed may have left in it. Only while holding the lock. */
export async function removeLeftovers(place: CachePlace): Promise<void> {
  for (const name of await readdir(place.folder)) {
    if (name.startsWith(workFolderPrefix)) await rm(join(place.folder, name), { recursive: true, force: true });
  }
}

/** Start of the name of a folder that holds one source's temporary files. */
export const workFolderPrefix = '.work-';

export async function removeCached(place: CachePlace): Promise<void> {
  await rm(place.path, { force: true });
  await rm(place.markPath, { force: true });
}

export interface CacheEntry {
  readonly name: string;
  readonly path: string;
  /** `ready`: size and mark are right. `unverified`: the size is right, the next use hashes it. */
  readonly state: 'ready' | 'unverified' | 'wrong_size' | 'partial' | 'absent';
  /** Bytes on disk now, of `expectedBytes`. */
  readonly bytes: number;
  readonly expectedBytes: number;
}

/** What the cache holds of every model in the catalog; reads sizes and marks only. */
export async function inspectCache(cacheDirectory: string, models = catalog): Promise<CacheEntry[]> {
  return Promise.all(
    models.map(async (model): Promise<CacheEntry> => {
      const place = cachePlace(cacheDirectory, model);
      const entry = { name: model.name, path: place.path, expectedBytes: model.file.bytes };
      const found = await stat(place.path).catch(() => null);
      if (!found) {
        const partial = await stat(place.partialPath).catch(() => null);
        return { ...entry, state: partial ? 'partial' : 'absent', bytes: partial?.size ?? 0 };
      }
      if (found.size !== model.file.bytes) return { ...entry, state: 'wrong_size', bytes: found.size };
      const marked = await markIsValid(place, model.file, found.mtimeMs);
      return { ...entry, state: marked ? 'ready' : 'unverified', bytes: found.size };
    }),
  );
}

/** The nearest folder at or above `path` that exists; for asking how much room there is before anything is made. */
export async function existingFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (dirname(folder) === folder || (await stat(folder).catch(() => null))?.isDirectory()) return folder;
  }
}
