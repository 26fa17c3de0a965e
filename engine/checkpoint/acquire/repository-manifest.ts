import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../atomic-file.ts';
import { anyName } from './hub-listing.ts';
import type { NamedFile } from './model-cache.ts';

const plainName = z.string().regex(anyName);
const fileSchema = z.union([
  z.strictObject({ name: plainName, bytes: z.int().nonnegative(), sha256: z.string() }),
  z.strictObject({ name: plainName, bytes: z.int().nonnegative(), gitBlob: z.string() }),
]);
const manifestSchema = z.strictObject({
  repository: z.string(),
  revision: z.string(),
  /** What the revision meant when the files were fetched. */
  commit: z.string(),
  /** The file that is the checkpoint; null where the folder is. */
  checkpoint: plainName.nullable(),
  files: z.array(fileSchema).min(1),
});

/** What a folder of the cache holds of a repository; written when all of it is there. */
export type RepositoryManifest = z.infer<typeof manifestSchema> & { readonly files: readonly NamedFile[] };

export function manifestPath(folder: string): string {
  return join(folder, 'repository.json');
}

/** Null where there is none, or one that is not understood: the files are then looked at again. */
export async function readManifest(
  folder: string,
  path: string = manifestPath(folder),
): Promise<RepositoryManifest | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export function writeManifest(
  folder: string,
  manifest: RepositoryManifest,
  path: string = manifestPath(folder),
): Promise<void> {
  return writeAtomically(path, (file) => file.write(Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)));
}
