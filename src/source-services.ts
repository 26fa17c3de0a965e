import { nearest, TillerError } from '../engine/index.ts';
import type { SourceCard, SourceService } from '../routes/sources-port.ts';
import { catalogReleases, readsWhatItWrites, type Source, searchCatalog } from '../sae-registry/index.ts';
import type { ReadyModel } from './services.ts';

/** What the routes tell of loaded sources and of the catalog. `modelOf` gives the loaded model of a name. */
export function createSourceService(
  loaded: () => readonly ReadyModel[],
  modelOf: (name: string) => ReadyModel,
): SourceService {
  return {
    list: (model) =>
      (model === null ? loaded() : [modelOf(model)]).flatMap(({ registry }) => registry.sources.map(toCard)),
    get(model, name) {
      const { id, registry } = modelOf(model);
      const source = registry.sources.find((candidate) => candidate.name === name);
      if (source) return toCard(source);
      const names = registry.sources.map((candidate) => candidate.name);
      const message = `There is no source '${name}' of ${id}. Loaded: ${names.join(', ') || 'none'}.`;
      throw new TillerError('source_not_found', message, { param: 'source', suggestions: nearest(name, names) });
    },
    catalog: (words) =>
      searchCatalog(words, catalogReleases()).map((release) => ({
        release: release.release,
        repository: release.repository,
        model: release.model,
        format: release.format,
        dictionaries: release.dictionaries,
        layers: release.layers,
        widths: release.widths,
        hookPoints: release.hook_points,
        examples: (release.examples.length > 0 ? release.examples : Object.keys(release.paths ?? {}).slice(0, 2)).map(
          (id) => `${release.release}/${id}`,
        ),
        centred: release.made_with?.center_writing_weights ?? false,
        licence: release.licence,
        unsupported: release.unsupported ?? null,
      })),
  };
}

function toCard(source: Source): SourceCard {
  const { dictionary, card, id, model, name, hookPoint } = source;
  return {
    ...{ id, model, name, hookPoint },
    hookPointIn: dictionary.kind === 'transcoder' ? dictionary.hookPoint : null,
    kind: dictionary.kind,
    activation: dictionary.activation,
    features: dictionary.features,
    widthRead: dictionary.dIn,
    widthWritten: dictionary.dOut,
    hash: dictionary.hash,
    origin: source.path,
    residentBytes: source.residentBytes,
    reads: readsWhatItWrites(source),
    writes: dictionary.writesByRow,
    statisticsVersion: source.statistics?.version ?? null,
    medianStreamNorm: card?.median_stream_norm ?? null,
    sinkNorm: card?.sink_norm ?? null,
    varianceExplained: card?.variance_explained ?? null,
    l0: card?.l0 ?? null,
    tokensTrained: card?.tokens_trained ?? null,
    license: card?.license ?? null,
  };
}
