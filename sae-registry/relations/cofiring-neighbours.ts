import { TillerError } from '../../engine/core/index.ts';
import { CofiringCount, type SourceReading } from '../cofiring/cofiring-count.ts';
import { type Cofiring, firingCosine } from '../cofiring/firing-cosine.ts';
import { featureSummary } from '../feature-detail.ts';
import type { Registry } from '../registry.ts';
import type { Source } from '../source.ts';
import { cofiringsOf } from '../store/index.ts';
import type { Ranked } from './best-list.ts';
import { findRelated, type RelatedFeature } from './related-feature.ts';
import type { Neighbours } from './relations.ts';

/** A feature that fires where another one does. */
export interface CofiringFeature extends RelatedFeature {
  /** Tokens on which it fires, and on which both do. */
  readonly cofiring: { readonly fired: number; readonly together: number };
}

export interface CofiringNeighbours extends Neighbours {
  readonly neighbours: readonly CofiringFeature[];
  readonly counted: {
    /** Tokens that were looked at, and on how many of them the feature fires. */
    readonly tokens: number;
    readonly fired: number;
    /** Of the statistics that they were collected with; null: counted on texts of the request. */
    readonly version: string | null;
  };
}

/**
 * What `tiller sae stats` collected of a feature: the features of its own source that fire with it. Throws `feature_not_found`, and
 * `statistics_missing` where nothing was collected.
 */
export function storedCofiring(registry: Registry, feature: string, limit: number): CofiringNeighbours {
  const { locate } = findRelated(registry);
  const { source, index } = locate(feature);
  const kept = cofiringsOf(registry.store, source.key, index);
  if (kept === null) {
    const message =
      `What fires together in ${source.id} has not been collected. Run 'tiller sae stats ${source.id}' on a corpus, ` +
      `or give 'texts' (POST) to count on.`;
    throw new TillerError('statistics_missing', message, { param: 'by' });
  }
  const { tokens, fired, version } = kept;
  const valued = kept.others.map((other) => ({ ...other, value: firingCosine(other.together, fired, other.fired) }));
  return {
    feature: featureSummary(registry.store, source, index),
    neighbours: valued.slice(0, limit).map((other) => cofiringFeature(registry, source, other)),
    sources: [source.id],
    compared: source.dictionary.features,
    counted: { tokens, fired, version },
  };
}

/**
 * The features of some sources that fire with a feature on texts. `read` reads them in the sources of the given ids, a text at a time.
 * Throws `feature_not_found`, `source_not_found`, `invalid_request` where no token counts, and what `read` throws.
 */
export async function measuredCofiring(
  registry: Registry,
  query: { readonly feature: string; readonly sources: readonly string[] | null; readonly limit: number },
  read: (sources: readonly string[]) => AsyncIterable<readonly SourceReading[]>,
): Promise<CofiringNeighbours> {
  const { locate, find } = findRelated(registry);
  const { source, index } = locate(query.feature);
  const named = query.sources?.map((name, i) => find(name, `sources[${i}]`)) ?? registry.sources;
  const searched = [...new Set(named)];
  const needed = [...new Set([source, ...searched])];
  const count = new CofiringCount(
    { source: 0, index },
    needed.map(({ dictionary }) => dictionary.features),
  );
  for await (const readings of read(needed.map(({ id }) => id))) count.add(readings);
  if (count.tokens === 0) {
    const message = 'The texts have no token that counts: first tokens and attention sinks do not.';
    throw new TillerError('invalid_request', message, { param: 'texts' });
  }
  const found = searched.flatMap((each) =>
    count.closest(needed.indexOf(each), query.limit).map((other) => cofiringFeature(registry, each, other)),
  );
  return {
    feature: featureSummary(registry.store, source, index),
    neighbours: found.sort((a, b) => b.value - a.value).slice(0, query.limit),
    sources: searched.map(({ id }) => id),
    compared: searched.reduce((sum, { dictionary }) => sum + dictionary.features, 0),
    counted: { tokens: count.tokens, fired: count.fired, version: null },
  };
}

function cofiringFeature(registry: Registry, source: Source, { together, fired, ...item }: Cofiring & Ranked) {
  return { ...findRelated(registry).related(source, item), cofiring: { fired, together } };
}
