import { TillerError } from '../../engine/core/index.ts';
import type { LabelService } from '../../routes/services.ts';
import { addLabel, exportLabels, importLabelsOnThread, requireSource, type Store } from '../../sae-registry/index.ts';

/** Method of labels that people write. */
const handLabelMethod = 'manual';

/** Labels over the port; `storeOf` gives the store that a model's are in and the model's own id. */
export function labelService(
  storeOf: (model: string) => { readonly store: Store; readonly model: string },
): LabelService {
  const find = (name: string, source: string) => {
    const { store, model } = storeOf(name);
    return { store, source: requireSource(store, `${model}/${source}`, 'source') };
  };
  return {
    add(model, name, index, { text, author, clarity }) {
      const { store, source } = find(model, name);
      const feature = /^\d{1,15}$/.test(index) ? Number(index) : Number.NaN;
      if (!(feature < source.features)) {
        const last = source.features - 1;
        const message = `There is no feature '${index}' of ${source.model}/${source.name}. Its features are 0 to ${last}.`;
        throw new TillerError('feature_not_found', message, { param: 'index' });
      }
      return addLabel(store, source.key, { feature, text, method: handLabelMethod, author, clarity });
    },
    export(model, name) {
      const { store, source } = find(model, name);
      return exportLabels(store, source);
    },
    import(model, name, chunks, { origin, ...defaults }) {
      const { store, source } = find(model, name);
      return importLabelsOnThread(store, source, chunks, { origin, defaults });
    },
  };
}
