import { TillerError } from '../../engine/core/index.ts';
import { toUnit } from '../embedder/embedding.ts';
import { findFeatures } from './feature-lookup.ts';
import type { FoundFeature } from './query.ts';
import { scopeOf } from './scope.ts';
import type { SearchState } from './search-state.ts';

/** A feature whose label means the same, with that label. */
export interface SimilarLabel extends FoundFeature {
  /** Cosine of the labels' embeddings. */
  readonly similarity: number;
}

/** Features whose labels mean the same, and what was compared. */
export interface LabelNeighbours {
  /** The label of the feature that the others were compared with. */
  readonly label: string;
  /** Nearest in meaning first, each with the label that is so near. */
  readonly neighbours: readonly SimilarLabel[];
  /** Labels that were looked through, and those among them that have no embedding yet. */
  readonly labels: number;
  readonly missing: number;
}

/**
 * The features of some sources whose labels are nearest in meaning to a feature's clearest label, which needs no embedder: both
 * embeddings are in the store. Throws as `findFeatures`, `statistics_missing` for a feature without a label, `not_ready` where its
 * label is not embedded yet.
 */
export function labelNeighbours(
  state: SearchState,
  feature: string,
  sources: readonly string[],
  limit: number,
): LabelNeighbours {
  const [asked] = findFeatures([feature], state);
  if (!asked) throw new TillerError('internal', 'a feature that was looked up is not there');
  const id = `${asked.source.model}/${asked.source.name}/${asked.index}`;
  const { vectors, table, densities } = state;
  const [slot] = asked.slots;
  if (slot === undefined) {
    const message = `${id} has no label to compare. Make one (tiller sae label), or import some (tiller labels import).`;
    throw new TillerError('statistics_missing', message, { param: 'feature' });
  }
  const embedding = vectors.embeddingOf(slot);
  if (embedding === null) {
    const message = `The label of ${id} is not embedded yet: labels are embedded in the background by a running service.`;
    throw new TillerError('not_ready', message, { param: 'by', retryAfterSeconds: 10 });
  }
  const filters = { model: null, sources, layers: [], density: null, methods: [] };
  const scope = scopeOf(filters, table, state.sources, densities, table.length);
  const embedded = vectors.count(scope);
  const query = toUnit(Float32Array.from(embedding));
  const found = new Map<number, SimilarLabel>();
  // several labels of one feature may stand among the nearest: then more are looked at
  for (let most = 2 * (limit + asked.slots.length); ; most *= 4) {
    for (const { slot: near, similarity } of vectors.search(query, scope, most)) {
      const key = state.featureKey(near);
      if (key === state.featureKey(slot) || found.has(key) || found.size >= limit) continue;
      const index = table.features.at(near);
      found.set(key, { ...state.describe(state.sourceOf(near), index, near), similarity });
    }
    if (found.size >= limit || most >= embedded) break;
  }
  return {
    label: state.label(slot).text,
    neighbours: [...found.values()],
    labels: scope.size,
    missing: scope.size - embedded,
  };
}
