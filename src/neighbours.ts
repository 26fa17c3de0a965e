import { TillerError } from '../engine/index.ts';
import type { Neighbour, NeighbourAnswer, RelationService } from '../routes/relations-port.ts';
import {
  type FeatureSearch,
  measuredCofiring,
  type RelatedFeature,
  type Relations,
  similarLabels,
  storedCofiring,
} from '../sae-registry/index.ts';
import { readSources } from './read-sources.ts';
import type { ReadyModel } from './services.ts';

/** What neighbours of a loaded model's features are found with. */
export interface NeighbourParts {
  readonly model: ReadyModel;
  readonly relations: Relations;
  readonly searchOf: () => FeatureSearch;
}

type NeighbourQuery = Parameters<RelationService['neighbours']>[0];

/** `RelationService.neighbours` by whatever measure. */
export async function neighboursOf(
  { model, relations, searchOf }: NeighbourParts,
  query: NeighbourQuery,
  signal: AbortSignal,
): Promise<NeighbourAnswer> {
  const { by, sequences } = query;
  const plain = { notEmbedded: null, counted: null };
  switch (by) {
    case 'decoder':
    case 'encoder': {
      const found = await relations.neighbours({ ...query, by });
      return { ...found, ...plain, neighbours: found.neighbours.map(withoutCounts) };
    }
    case 'label': {
      const near = (...asked: Parameters<FeatureSearch['labelNeighbours']>) => searchOf().labelNeighbours(...asked);
      const { missing, ...found } = await similarLabels(model.registry, query, near);
      return { ...found, ...plain, neighbours: found.neighbours.map(withoutCounts), notEmbedded: missing };
    }
    case 'cofiring': {
      if (sequences !== null) {
        const read = (sources: readonly string[]) => readSources(model, sequences, sources, signal);
        return { ...plain, ...(await measuredCofiring(model.registry, query, read)) };
      }
      const found = storedCofiring(model.registry, query.feature, query.limit);
      refuseOtherSources(model, query, found.sources[0]);
      return { ...plain, ...found };
    }
  }
}

/** What is collected is of one source at a time. */
function refuseOtherSources({ registry }: ReadyModel, { sources }: NeighbourQuery, own: string | undefined): void {
  if (sources === null) return;
  const other = registry.sourcesNamed(sources, 'sources').find(({ id }) => id !== own);
  if (!other) return;
  const message = `Co-firing with features of ${other.id} is not collected: give 'texts' (POST) to count it on, or leave 'sources' out.`;
  throw new TillerError('invalid_request', message, { param: 'sources' });
}

function withoutCounts(feature: RelatedFeature): Neighbour {
  return { ...feature, cofiring: null };
}
