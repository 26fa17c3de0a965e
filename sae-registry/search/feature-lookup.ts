import { TillerError } from '../../engine/core/index.ts';
import type { SourceRow } from './label-table.ts';
import { isCalled, noModel, noSource } from './scope.ts';
import type { SearchState } from './search-state.ts';

export interface Looked {
  readonly source: SourceRow;
  readonly index: number;
  /** Slots of its labels, the clearest first. */
  readonly slots: readonly number[];
}

/**
 * What ids `model/source/index`, or `source/index` where only one model has a source of that name, mean. Throws `model_not_found`,
 * `source_not_found` and `feature_not_found` with the entry's place and the nearest names.
 */
export function findFeatures(ids: readonly string[], state: SearchState): Looked[] {
  return ids.map((id, at) => {
    const param = `features[${at}]`;
    const parts = id.trim().split('/');
    if (parts.length < 2 || parts.length > 3) {
      throw notFound(`'${id}' is no feature id. Write model/source/index.`, param);
    }
    const source = sourceOf(parts.slice(0, -1), state.sources, param);
    const index = parts.at(-1) as string;
    if (!/^\d{1,15}$/.test(index) || Number(index) >= source.features) {
      const range = `Its features are 0 to ${source.features - 1}.`;
      throw notFound(`There is no feature '${index}' of ${source.model}/${source.name}. ${range}`, param);
    }
    return { source, index: Number(index), slots: state.labelsOf(source, Number(index)) };
  });
}

function sourceOf(parts: readonly string[], sources: readonly SourceRow[], param: string): SourceRow {
  const name = parts.join('/');
  const [model = ''] = parts;
  const ofModel = parts.length === 2 ? sources.filter((source) => source.model === model) : sources;
  if (ofModel.length === 0 && parts.length === 2) throw withParam(noModel(model, sources), param);
  const found = ofModel.filter((source) => isCalled(source, name));
  const [source, another] = found;
  if (source && another) {
    throw notFound(`Several models have a source '${name}': write ${source.model}/${name}/…`, param);
  }
  if (!source) throw noSource(name, ofModel, param);
  return source;
}

function withParam(error: TillerError, param: string): TillerError {
  return new TillerError(error.code, error.message, { param, suggestions: error.suggestions });
}

function notFound(message: string, param: string): TillerError {
  return new TillerError('feature_not_found', message, { param });
}
