import { compareLabels, type LabelAgreement, namedSource } from '../../sae-registry/labelling/index.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';

/** Compares two sets of labels of a source of the configured store. Throws like `compareLabels`. */
export async function compareLabelSets(
  config: Config,
  source: string,
  sets: Parameters<typeof compareLabels>[2],
): Promise<LabelAgreement> {
  return withStore(config, async (store) => {
    return compareLabels(store, namedSource(store, source), sets);
  });
}
