import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type AcquireOptions,
  acquireFiles,
  type NamedFile,
  type RepositoryName,
  repositoryLabel,
} from '../../engine/checkpoint/acquire/index.ts';
import { TillerError } from '../../engine/core/index.ts';
import type { CatalogRelease } from '../../sae-registry/index.ts';

const weights = /\.(safetensors|npz|pth?)$/;
/** Beside SAELens' weights; says which features fired in training, and is not read. */
const notWeights = /(^|\/)(sparsity|optimizer_state|activations_store_state)\.safetensors$/;
const beside = /\.(json|ya?ml|jsonl)$/;

/**
 * Gets the dictionary that lies at `path` (a folder, or one file) of a repository into the cache, and returns where it lies there.
 * The repository's and its folders' names stay in the path: some formats say model and layer by them. Throws as `acquireFiles`, and
 * `source_not_found` where there is no dictionary or more than one.
 */
export async function fetchDictionary(
  name: RepositoryName,
  path: string,
  release: CatalogRelease | null,
  options: AcquireOptions,
): Promise<string> {
  const { repository, revision } = name;
  const folder = join(options.cacheDirectory, 'sources', encodeURIComponent(revision), ...repository.split('/'));
  const choose = (files: readonly NamedFile[]) =>
    chooseFiles(`${repositoryLabel(name)}${path && `:${path}`}`, path, files);
  const { files } = await acquireFiles(name, folder, path, choose, options);
  const place = join(folder, path);
  const isFile = files.some((file) => file.name === path);
  if (release?.made_with !== undefined && !isFile) {
    const card = { id: `${modelName(release)}/${path.split('/').at(-1)}`, made_with: release.made_with };
    await writeFile(join(place, 'source.json'), `${JSON.stringify(card, null, 1)}\n`);
  }
  return place;
}

/** `gpt2-small` is TransformerLens' name for what is `gpt2` elsewhere. */
function modelName({ model }: CatalogRelease): string {
  const name = (model.split('/').at(-1) ?? model).toLowerCase();
  return name === 'gpt2-small' ? 'gpt2' : name;
}

/** The weights at the path, what lies beside them, and the run's configuration one folder up (sparsify). */
function chooseFiles(label: string, path: string, files: readonly NamedFile[]): readonly NamedFile[] {
  const exact = files.find(({ name }) => name === path);
  const folder = exact ? dirname(path) : path;
  const within = files.filter(({ name }) => folder === '' || folder === '.' || name.startsWith(`${folder}/`));
  const found = exact ? [exact] : within.filter(({ name }) => weights.test(name) && !notWeights.test(name));
  const [first, second] = found;
  if (!first) {
    throw notFound(`${label} holds no dictionary. Name its folder or file, as in owner/name:folder.`);
  }
  if (second)
    throw notFound(`${label} holds several dictionaries (${first.name}, ${second.name} …). Name one of them.`);
  const parts = (place: string) => (place === '' || place === '.' ? 0 : place.split('/').length);
  const near = within.filter(({ name }) => beside.test(name) && parts(dirname(name)) <= parts(folder));
  const run = files.filter(({ name }) => parts(folder) > 0 && name === join(dirname(folder), 'config.json'));
  return [...new Set([...found, ...near, ...run])];
}

function notFound(message: string): TillerError {
  return new TillerError('source_not_found', message, { param: 'source' });
}
