import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { type CacheFile, type CachePart, prepareCacheFile } from './cache-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { LinearGroup } from './linear-groups.ts';
import type { LinearForm, StoredArray, StoredLinears } from './stored-linears.ts';
import { takenRecipe } from './tensor.ts';

export interface StoredOptions {
  readonly cacheDirectory: string;
  readonly onProgress?: ProgressListener;
}

/** An array of a group of linear layers that is stored in a form of its own. */
export interface StoredPart extends CachePart {
  readonly group: LinearGroup;
  readonly form: LinearForm;
  readonly type: StoredArray['type'];
}

/** What makes the file of one kind of form. */
export interface StoredFile<Part extends StoredPart>
  extends Pick<CacheFile<Part>, 'formatVersion' | 'label' | 'parts' | 'write'> {
  readonly kind: 'int8' | 'int8tiles' | 'blocks' | 'tiles';
}

/** Linear layers in a cache file `weights/<hash>.<kind>.v<version>.bin` (cache-file.ts); none where there are no parts. Throws `disk_full`. */
export async function prepareStoredLinears<Part extends StoredPart>(
  checkpoint: Checkpoint,
  { kind, ...file }: StoredFile<Part>,
  { cacheDirectory, onProgress }: StoredOptions,
): Promise<StoredLinears> {
  const arrays = new Map<string, StoredArray>();
  const forms = new Map<string, LinearForm>();
  if (file.parts.length === 0) return { forms, arrays };
  const hash = await checkpoint.contentHash({ cacheDirectory });
  const locations = await prepareCacheFile({
    ...file,
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.${kind}.v${file.formatVersion}`,
    hash,
    recipe: takenRecipe(checkpoint.tensors.values()),
    onProgress,
  });
  for (const { name, group, form, type } of file.parts) {
    const location = locations.get(name);
    if (!location) continue;
    arrays.set(name, { location, type });
    forms.set(group.name, form);
  }
  return { forms, arrays };
}
