export { acquireFile, acquireModel } from './acquire.ts';
export { type AcquiredFiles, acquireFiles } from './acquire-files.ts';
export {
  type CatalogFile,
  type CatalogModel,
  type CatalogSource,
  catalog,
  defaultModelName,
  findCatalogModel,
  parseCatalogFiles,
} from './catalog.ts';
export { formatBytes } from './describe.ts';
export { freeBytes } from './disk-space.ts';
export { anyName } from './hub-listing.ts';
export { type CacheEntry, existingFolder, inspectCache, type NamedFile } from './model-cache.ts';
export type { AcquiredModel, AcquireOptions } from './options.ts';
export { runPython } from './python-process.ts';
export { parseRepositoryName, type RepositoryName, repositoryLabel } from './repository-name.ts';
