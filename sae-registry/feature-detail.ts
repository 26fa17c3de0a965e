import type { FeatureDetail, FeatureSummary } from './feature-shapes.ts';
import type { Source } from './source.ts';
import { examplesOf, labelsOf, type Store, type StoredStatistics, shownLabel, statisticsOf } from './store/index.ts';

export function featureSummary(store: Store, source: Source, index: number): FeatureSummary {
  return {
    id: `${source.id}/${index}`,
    model: source.model,
    source: source.name,
    index,
    label: shownLabel(store, source.key, index),
  };
}

/** Everything known of a feature. */
export function featureDetail(store: Store, source: Source, index: number): FeatureDetail {
  const statistics = statisticsOf(store, source.key, index);
  const { encoder, decoder } = source.dictionary.feature(index);
  return {
    ...featureSummary(store, source, index),
    hookPoint: source.hookPoint,
    labels: labelsOf(store, source.key, index),
    statistics: statistics && figures(statistics),
    topLogits: statistics?.topLogits ?? [],
    bottomLogits: statistics?.bottomLogits ?? [],
    topTokens: statistics?.topTokens ?? [],
    examples: examplesOf(store, source.key, index).map(({ tokens, values, peak }) => ({
      tokens,
      value: peak,
      values: values && Array.from(values),
    })),
    encoderDotDecoder:
      source.dictionary.kind === 'autoencoder' && source.dictionary.writesByRow
        ? encoder.reduce((sum, value, i) => sum + value * (decoder[i] as number), 0)
        : null,
  };
}

function figures({ density, max, p999, mean, histogram, version }: StoredStatistics): FeatureDetail['statistics'] {
  return { density, max, p999, mean, histogram, version };
}
