import type { Labels, MetricSet } from './metric-set.ts';

/** The labels of a model: Tiller's, and those of metrics under vLLM's names. */
export interface ModelLabels {
  readonly own: Labels;
  readonly vllm: Labels;
}

/** Gives the labels of a model, made once and not once a token; its series have begun when they are first asked for. */
export function modelLabels(metrics: MetricSet, modelName: string): () => ModelLabels {
  let labels: ModelLabels | null = null;
  return () => {
    if (labels) return labels;
    metrics.begin(modelName);
    labels = { own: { model_name: modelName }, vllm: { model_name: modelName, engine: '0' } };
    return labels;
  };
}
