import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import {
  anyName,
  parseRepositoryName,
  type RepositoryName,
  repositoryLabel,
} from '../../engine/checkpoint/acquire/index.ts';
import { nearest, TillerError } from '../../engine/core/index.ts';
import {
  type AddedSource,
  bundledSources,
  type CatalogRelease,
  catalogReleases,
  findCatalogEntry,
  openSource,
  openStore,
  rememberSource,
  type Source,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { storePath } from '../data-directory.ts';
import type { OpenModelOptions } from '../open-model.ts';
import { fetchDictionary } from './hub-dictionary.ts';
import { readModelFacts } from './model-facts.ts';

/** Where a dictionary is to be had. */
type Place =
  | { readonly kind: 'path'; readonly path: string }
  | {
      readonly kind: 'hub';
      readonly repository: RepositoryName;
      /** Folder or file in the repository; empty: the repository itself. */
      readonly path: string;
      readonly name: string;
      readonly release: CatalogRelease | null;
    };

export interface AddRequest {
  /** A path, `owner/name[@revision][:folder]` of the Hub, or `release/id` of the catalog. */
  readonly what: string;
  /** Its name; null: what its card, its folder or the catalog says. */
  readonly name: string | null;
}

export interface AddResult extends AddedSource {
  readonly source: Pick<Source, 'hookPoint' | 'dictionary'>;
}

/**
 * Gets a dictionary, opens it for the configured model as a start would, and remembers it: it is loaded with that model from the next
 * start on. Throws `source_invalid` (by name, where it is another model's), `source_unsupported`, `source_not_found`, what fetching throws.
 */
export async function addSource(config: Config, request: AddRequest, options: OpenModelOptions): Promise<AddResult> {
  const place = findPlace(request.what);
  const model = await readModelFacts(config, options);
  const { onProgress, onNotice, signal } = options;
  const { cacheDir: cacheDirectory, offline, hub } = config;
  const acquire = { cacheDirectory, offline, hub, onProgress, onNotice, signal };
  const path =
    place.kind === 'path' ? place.path : await fetchDictionary(place.repository, place.path, place.release, acquire);
  const name = request.name ?? (place.kind === 'hub' ? place.name : undefined);
  const trial = await openStore(null);
  const store = await openStore(storePath(config));
  try {
    const source = await openSource(path, { model, store: trial, opened: [], name });
    if (bundledSources().includes(source.id)) {
      const message = `${source.id} is the name of a bundled source. Give this one another with --name.`;
      throw new TillerError('source_invalid', message, { param: 'name' });
    }
    const added = rememberSource(store, { model: model.id, name: source.name, path, origin: originOf(place) });
    return { ...added, source };
  } finally {
    trial.close();
    store.close();
  }
}

/** A path that is there goes first, then the catalog, then the Hub. */
function findPlace(what: string): Place {
  if (existsSync(what)) return { kind: 'path', path: resolve(what) };
  const entry = findCatalogEntry(what);
  if (entry) {
    const { release, path, id } = entry;
    const repository = { repository: release.repository, revision: 'main', file: null };
    return { kind: 'hub', repository, path, name: plainName(id), release };
  }
  const [left = '', ...rest] = what.split(':');
  const path = rest.join(':').replace(/^\/+|\/+$/g, '');
  const repository = parseRepositoryName(left);
  if (repository && (path === '' || anyName.test(path))) {
    return { kind: 'hub', repository, path, name: plainName(path || basename(repository.repository)), release: null };
  }
  const suggestions = nearest(
    what.split('/')[0] ?? what,
    catalogReleases().map(({ release }) => release),
  );
  throw new TillerError(
    'source_not_found',
    `'${what}' is no path that is there, no release of the catalog (tiller sae list --catalog) and no owner/name[@revision][:folder] of the Hub.`,
    { param: 'source', suggestions },
  );
}

/** Layers and widths in the folders' names stay: `layer_12/width_16k/average_l0_82` is `layer_12-width_16k-average_l0_82`. */
function plainName(path: string): string {
  return path.replace(/\.(safetensors|npz|sae\.pt|pth?)$/, '').replaceAll('/', '-');
}

function originOf(place: Place): string {
  if (place.kind === 'path') return place.path;
  if (place.release) return `${place.release.release}/${idOf(place.release, place.path)}`;
  return `${repositoryLabel(place.repository)}${place.path && `:${place.path}`}`;
}

function idOf(release: CatalogRelease, path: string): string {
  const found = Object.entries(release.paths ?? {}).find(([, its]) => its === path)?.[0];
  const [before = '', after = ''] = (release.path ?? '{id}').split('{id}');
  return found ?? path.slice(before.length, path.length - after.length);
}
