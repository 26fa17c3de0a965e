import type { FeatureDetail, FeatureSummary } from './feature-shapes.ts';
import type { Source } from './source.ts';

export function featureSummary(source: Source, index: number): FeatureSummary {
  return {
    id: `${source.id}/${index}`,
    model: source.model,
    source: source.name,
    index,
    label: source.labels.get(index)?.[0]?.text ?? null,
  };
}

/** Everything known of a feature. */
export function featureDetail(source: Source, index: number): FeatureDetail {
  const record = source.statistics?.record(index) ?? null;
  const { encoder, decoder } = source.dictionary.feature(index);
  return {
    ...featureSummary(source, index),
    hookPoint: source.hookPoint,
    labels: source.labels.get(index) ?? [],
    statistics: record && {
      density: record.density,
      max: record.max,
      p999: record.p999,
      mean: record.mean,
      histogram: record.histogram,
      version: source.statistics?.version ?? '',
    },
    topLogits: record?.top_logits ?? [],
    bottomLogits: record?.bottom_logits ?? [],
    topTokens: record?.top_tokens ?? [],
    examples: record?.examples ?? [],
    encoderDotDecoder:
      source.dictionary.kind === 'autoencoder' && source.dictionary.writesByRow
        ? encoder.reduce((sum, value, i) => sum + value * (decoder[i] as number), 0)
        : null,
  };
}
