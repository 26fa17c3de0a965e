import { readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearest, TillerError } from '../engine/core/index.ts';

const here = dirname(fileURLToPath(import.meta.url));
/** The sources that come with Tiller: beside this file in a checkout, in the checkout's sae-registry/ when it runs from dist/. */
const folders = [join(here, 'bundled'), resolve(here, '../../sae-registry/bundled')];

/** The folder of everything bundled: `model/name/` for each source, and `model/stream-norms.json`. */
export function bundledFolder(): string {
  return folders.find(isFolder) ?? join(here, 'bundled');
}

/** Ids of the bundled sources, a model's in the order of its blocks. */
export function bundledSources(): string[] {
  const root = bundledFolder();
  return subfolders(root).flatMap((model) => subfolders(join(root, model)).map((name) => `${model}/${name}`));
}

/** What `nameOrPath` means: the folder of a bundled source's id, else a path of a folder or file. Throws `source_not_found` with the nearest ids. */
export function sourcePath(nameOrPath: string): string {
  if (bundledSources().includes(nameOrPath)) return join(bundledFolder(), nameOrPath);
  if (statSync(nameOrPath, { throwIfNoEntry: false }) !== undefined) return nameOrPath;
  throw new TillerError('source_not_found', `There is no bundled source, folder or file '${nameOrPath}'.`, {
    suggestions: nearest(nameOrPath, bundledSources()),
  });
}

function subfolders(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder)
    .filter((name) => isFolder(join(folder, name)))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
