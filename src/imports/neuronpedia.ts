import {
  importNeuronpedia,
  type NeuronpediaImport,
  type NeuronpediaImportOptions,
  requireSource,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';

/** Reads a Neuronpedia export into the store. Throws `source_not_found`, `invalid_request`, `source_invalid`. */
export async function importNeuronpediaExport(
  config: Config,
  source: string,
  options: NeuronpediaImportOptions,
): Promise<NeuronpediaImport> {
  return withStore(config, async (store) => {
    return await importNeuronpedia(store, requireSource(store, source, 'source'), options);
  });
}
