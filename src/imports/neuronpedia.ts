import {
  importNeuronpedia,
  type NeuronpediaImport,
  type NeuronpediaImportOptions,
  openStore,
  requireSource,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { storePath } from '../data-directory.ts';

/** Reads a Neuronpedia export into the store. Throws `source_not_found`, `invalid_request`, `source_invalid`. */
export async function importNeuronpediaExport(
  config: Config,
  source: string,
  options: NeuronpediaImportOptions,
): Promise<NeuronpediaImport> {
  const store = await openStore(storePath(config));
  try {
    return await importNeuronpedia(store, requireSource(store, source, 'source'), options);
  } finally {
    store.close();
  }
}
