import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { catalog, findCatalogModel, unknownModel } from '../../engine/checkpoint/acquire/catalog.ts';
import { modelNameOf, parseRepositoryName } from '../../engine/checkpoint/acquire/repository-name.ts';

/**
 * The name that a configured model is asked for by before it has been loaded: a file's or folder's own, a catalog model's, a
 * repository's without its owner. Once loaded it also answers to its id (src/open-model.ts). Throws `model_not_found`.
 */
export function servedName(reference: string): string {
  const path = resolve(reference);
  if (reference !== '' && existsSync(path))
    return basename(path)
      .replace(/\.(gguf|safetensors)$/i, '')
      .toLowerCase();
  const known = findCatalogModel(reference, catalog);
  if (known) return known.name;
  const repository = parseRepositoryName(reference);
  if (repository) return modelNameOf(repository, null).toLowerCase();
  throw unknownModel(reference, catalog);
}
