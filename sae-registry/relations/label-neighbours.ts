import { TillerError } from '../../engine/core/index.ts';
import { featureSummary } from '../feature-detail.ts';
import type { Registry } from '../registry.ts';
import type { LabelNeighbours } from '../search/label-neighbours.ts';
import { findRelated } from './related-feature.ts';
import type { Neighbours } from './relations.ts';

export interface LabelledNeighbours extends Neighbours {
  /** Labels of these sources that are not embedded yet, and were not compared. */
  readonly missing: number;
}

/**
 * The features of some sources whose labels are nearest in meaning to a feature's: each stands with the label that is so near. `near`
 * compares labels (search/). Throws `feature_not_found`, `source_not_found`, and what `near` throws.
 */
export async function similarLabels(
  registry: Registry,
  query: { readonly feature: string; readonly sources: readonly string[] | null; readonly limit: number },
  near: (feature: string, sources: readonly string[], limit: number) => Promise<LabelNeighbours>,
): Promise<LabelledNeighbours> {
  const { locate, find, related } = findRelated(registry);
  const { source, index } = locate(query.feature);
  const named = query.sources?.map((name, i) => find(name, `sources[${i}]`)) ?? registry.sources;
  const searched = new Map(named.map((each) => [each.id, each]));
  const found = await near(`${source.id}/${index}`, [...searched.keys()], query.limit);
  return {
    feature: { ...featureSummary(registry.store, source, index), label: found.label },
    neighbours: found.neighbours.map(({ model, source: name, index: other, label, similarity }) => {
      const its = searched.get(`${model}/${name}`);
      if (!its) throw new TillerError('internal', `a label of ${model}/${name}, which was not asked for`);
      return { ...related(its, { index: other, value: similarity }), label: label?.text ?? null };
    }),
    sources: [...searched.keys()],
    compared: found.labels - found.missing,
    missing: found.missing,
  };
}
