import { loadDictionary, readSourceCard, sourcePath } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { listKnownSources } from './list.ts';

/** A dictionary in the words of its files and its card; null: they do not say. */
export interface DescribedSource {
  readonly path: string;
  readonly kind: string;
  readonly activation: string;
  readonly features: number;
  readonly width_read: number;
  readonly width_written: number;
  readonly model: string | null;
  readonly hook_point: string | null;
  readonly hook_point_out: string | null;
  readonly reads_by_row: boolean;
  readonly writes_by_row: boolean;
  readonly resident_bytes: number;
  readonly sha256: string;
  readonly variance_explained: number | null;
  readonly l0: number | null;
  readonly license: string | null;
}

/** Opens a dictionary by its id, or by its path. Throws `source_not_found`, `source_invalid`, `source_unsupported`. */
export async function describeSource(config: Config, what: string): Promise<DescribedSource> {
  const known = (await listKnownSources(config)).find(({ id }) => id === what);
  const path = known?.path ?? sourcePath(what);
  const card = await readSourceCard(path);
  const dictionary = await loadDictionary(path, {
    foldDecoderNorms: card?.fold_decoder_norms,
    madeWith: card?.made_with,
  });
  return {
    path,
    kind: dictionary.kind,
    activation: dictionary.activation,
    features: dictionary.features,
    width_read: dictionary.dIn,
    width_written: dictionary.dOut,
    model: card?.model ?? dictionary.modelName,
    hook_point: dictionary.hookPoint ?? card?.hook_point ?? null,
    hook_point_out: dictionary.hookPointOut,
    reads_by_row: dictionary.readsByRow,
    writes_by_row: dictionary.writesByRow,
    resident_bytes: dictionary.residentBytes,
    sha256: dictionary.hash,
    variance_explained: card?.variance_explained ?? null,
    l0: card?.l0 ?? null,
    license: card?.license ?? null,
  };
}
