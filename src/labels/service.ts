import type { LabelService } from '../../routes/services.ts';
import { exportLabels, importLabels, requireSource, type Store } from '../../sae-registry/index.ts';

/** Labels over the port; `storeOf` gives the store that a model's are in and the model's own id. */
export function labelService(
  storeOf: (model: string) => { readonly store: Store; readonly model: string },
): LabelService {
  const find = (name: string, source: string) => {
    const { store, model } = storeOf(name);
    return { store, source: requireSource(store, `${model}/${source}`, 'source') };
  };
  return {
    export(model, name) {
      const { store, source } = find(model, name);
      return exportLabels(store, source);
    },
    import(model, name, chunks, { origin, ...defaults }) {
      const { store, source } = find(model, name);
      return importLabels(store, source, chunks, { origin, defaults });
    },
  };
}
