import type { Labels, MetricSet } from './metric-set.ts';

/** The labels of the served model: Tiller's, and those of metrics under vLLM's names. */
export interface ModelLabels {
  readonly own: Labels;
  readonly vllm: Labels;
}

/** Gives the labels of the model served now, made once a model and not once a token; its series have begun then. */
export function modelLabels(metrics: MetricSet, modelName: () => string): () => ModelLabels {
  let labels: ModelLabels | null = null;
  return () => {
    const name = modelName();
    if (labels?.own.model_name === name) return labels;
    metrics.begin(name);
    labels = { own: { model_name: name }, vllm: { model_name: name, engine: '0' } };
    return labels;
  };
}
