import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { importLabels, type LabelDefaults, type LabelImport, requireSource } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { readableFile } from '../readable-file.ts';
import { withStore } from '../with-store.ts';

/** Writes a label file down as labels of a source that the store knows. Throws `source_not_found`, `invalid_request`. */
export async function importLabelFile(
  config: Config,
  file: string,
  { source: id, ...defaults }: LabelDefaults & { readonly source: string },
): Promise<LabelImport> {
  const path = resolve(file);
  await readableFile(path);
  return withStore(config, async (store) => {
    const source = requireSource(store, id, 'source');
    return await importLabels(store, source, createReadStream(path), { origin: path, defaults });
  });
}
