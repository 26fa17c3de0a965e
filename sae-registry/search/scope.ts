import { nearest, TillerError } from '../../engine/core/index.ts';
import type { LabelTable, SourceRow } from './label-table.ts';
import type { SearchFilters } from './query.ts';

/** The labels that a search is among: slots of a range, and of those the ones that the mask has. */
export interface Scope {
  readonly from: number;
  readonly to: number;
  /** 1 for each slot that is in; null: all of the range. */
  readonly mask: Uint8Array | null;
  readonly size: number;
}

/** Densities of a source's features; NaN where there are no statistics. */
export type Densities = (source: number) => Float32Array | undefined;

/**
 * What the filters leave of the first `length` labels. Throws `model_not_found` and `source_not_found` with the nearest names, and
 * `invalid_request` for a layer or a method that nothing has.
 */
export function scopeOf(
  filters: SearchFilters,
  table: LabelTable,
  sources: readonly SourceRow[],
  densities: Densities,
  length: number,
): Scope {
  const wanted = sourcesOf(filters, sources);
  const methods = methodsOf(filters, table);
  if (wanted === null && methods === null && filters.density === null) {
    return { from: 0, to: length, mask: null, size: length };
  }
  const mask = new Uint8Array(length);
  const inDensity = densityTest(filters, densities);
  let [from, to, size] = [length, 0, 0];
  const [sourceOf, methodOf] = [table.sources.values, table.methodOf.values];
  for (let slot = 0; slot < length; slot++) {
    if (wanted !== null && !wanted.has(sourceOf[slot] as number)) continue;
    if (methods !== null && !methods.has(methodOf[slot] as number)) continue;
    if (inDensity !== null && !inDensity(sourceOf[slot] as number, table.features.at(slot))) continue;
    mask[slot] = 1;
    if (slot < from) from = slot;
    to = slot + 1;
    size++;
  }
  return { from: Math.min(from, to), to, mask: size === to - from ? null : mask, size };
}

/** Rows of the sources that are asked for; null: all. Those that were set aside must be asked for by their own names. */
export function sourcesOf(filters: SearchFilters, sources: readonly SourceRow[]): ReadonlySet<number> | null {
  const { model, sources: names, layers } = filters;
  let left = names.length > 0 ? sources : sources.filter(({ setAside }) => !setAside);
  if (model === null && names.length === 0 && layers.length === 0 && left.length === sources.length) return null;
  if (model !== null) {
    left = left.filter((source) => source.model === model);
    if (left.length === 0) throw noModel(model, sources);
  }
  if (names.length > 0) {
    for (const name of names) if (!left.some((source) => isCalled(source, name))) throw noSource(name, left);
    left = left.filter((source) => names.some((name) => isCalled(source, name)));
  }
  if (layers.length > 0) {
    for (const layer of layers) if (!left.some((source) => source.layer === layer)) throw noLayer(layer, left);
    left = left.filter((source) => source.layer !== null && layers.includes(source.layer));
  }
  return new Set(left.map(({ id }) => id));
}

export function isCalled(source: SourceRow, name: string): boolean {
  return name === source.name || name === `${source.model}/${source.name}`;
}

function methodsOf({ methods }: SearchFilters, table: LabelTable): ReadonlySet<number> | null {
  if (methods.length === 0) return null;
  return new Set(
    methods.map((method) => {
      const place = table.methods.indexOf(method);
      if (place >= 0) return place;
      throw new TillerError('invalid_request', `No label was made by '${method}'. ${known(table.methods)}`, {
        param: 'methods',
        suggestions: nearest(method, table.methods),
      });
    }),
  );
}

function densityTest({ density }: SearchFilters, densities: Densities) {
  if (density === null) return null;
  const [min, max] = [density.min ?? Number.NEGATIVE_INFINITY, density.max ?? Number.POSITIVE_INFINITY];
  return (source: number, feature: number) => {
    const value = densities(source)?.[feature] ?? Number.NaN;
    return value >= min && value <= max;
  };
}

export function noModel(model: string, sources: readonly SourceRow[]): TillerError {
  const models = [...new Set(sources.map((source) => source.model))];
  return new TillerError('model_not_found', `No source of a model '${model}' is known. ${known(models)}`, {
    param: 'model',
    suggestions: nearest(model, models),
  });
}

export function noSource(name: string, sources: readonly SourceRow[], param = 'sources'): TillerError {
  const ids = sources.map((source) => `${source.model}/${source.name}`);
  return new TillerError('source_not_found', `There is no source '${name}'. ${known(ids)}`, {
    param,
    suggestions: nearest(name, name.includes('/') ? ids : sources.map((source) => source.name)),
  });
}

function noLayer(layer: number, sources: readonly SourceRow[]): TillerError {
  const layers = [...new Set(sources.flatMap((source) => (source.layer === null ? [] : [source.layer])))];
  layers.sort((a, b) => a - b);
  return new TillerError('invalid_request', `No source is at layer ${layer}. ${known(layers.map(String))}`, {
    param: 'layers',
  });
}

function known(names: readonly string[]): string {
  if (names.length === 0) return 'There are none.';
  const shown = names.slice(0, 12).join(', ');
  return `There ${names.length === 1 ? 'is' : 'are'}: ${shown}${names.length > 12 ? ' and more' : ''}.`;
}
