import { nearest, TillerError } from '../../engine/core/index.ts';
import { featureSummary } from '../feature-detail.ts';
import type { FeatureSummary } from '../feature-shapes.ts';
import type { Registry } from '../registry.ts';
import type { Source } from '../source.ts';
import type { Ranked } from './best-list.ts';

/** Another feature and what it has to do with the one that was asked about. */
export interface RelatedFeature extends FeatureSummary {
  readonly hookPoint: string;
  /** A cosine, or a weight. */
  readonly value: number;
  /** What x·encoder has to exceed for it to fire, its bias taken off; null where that alone does not say it. */
  readonly effectiveThreshold: number | null;
}

/** How relations name features and sources of a registry. */
export interface RelatedNames {
  /** Throws `feature_not_found`, `source_not_found`. */
  locate(feature: string): { readonly source: Source; readonly index: number };
  /** By name or id. Throws `source_not_found` with the nearest names. */
  find(name: string, param: string): Source;
  related(source: Source, item: Ranked): RelatedFeature;
}

export function findRelated(registry: Registry): RelatedNames {
  const { sources, store } = registry;
  return {
    locate(feature) {
      const source = registry.sourceOf(feature, 'feature');
      return { source, index: Number(feature.trim().split('/').at(-1)) };
    },
    find(name, param) {
      const source = sources.find((candidate) => candidate.name === name || candidate.id === name);
      if (source) return source;
      const names = sources.map((candidate) => candidate.name);
      const message = `There is no source '${name}'. Loaded: ${names.join(', ') || 'none'}.`;
      throw new TillerError('source_not_found', message, { param, suggestions: nearest(name, names) });
    },
    related: (source, { index, value }) => ({
      ...featureSummary(store, source, index),
      hookPoint: source.hookPoint,
      value,
      effectiveThreshold: effectiveThreshold(source, index),
    }),
  };
}

/** p > threshold with p = x·encoder + bias: what the first part has to exceed. */
function effectiveThreshold({ dictionary }: Source, index: number): number | null {
  if (!dictionary.readsByRow) return null;
  const { threshold, bias } = dictionary.feature(index);
  return threshold - bias;
}
