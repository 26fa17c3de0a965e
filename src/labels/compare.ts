import { compareLabels, type LabelAgreement, namedSource } from '../../sae-registry/labelling/index.ts';
import { openStore } from '../../sae-registry/store/index.ts';
import type { Config } from '../config.ts';
import { storePath } from '../data-directory.ts';

/** Compares two sets of labels of a source of the configured store. Throws like `compareLabels`. */
export async function compareLabelSets(
  config: Config,
  source: string,
  sets: Parameters<typeof compareLabels>[2],
): Promise<LabelAgreement> {
  const store = await openStore(storePath(config));
  try {
    return compareLabels(store, namedSource(store, source), sets);
  } finally {
    store.close();
  }
}
