import { collectDefaultMetrics, Registry } from 'prom-client';
import type { EngineObserver } from '../../engine/core/index.ts';
import type { Services } from '../../routes/services.ts';
import { readModels } from './engine-gauges.ts';
import { engineMetrics } from './engine-metrics.ts';
import { sampleEventLoopDelay } from './event-loop-delay.ts';
import { httpMetrics } from './http-metrics.ts';
import { MetricSet } from './metric-set.ts';
import { modelLabels } from './model-labels.ts';
import type { ServedModel } from './served-model.ts';
import { type RequestObserver, steeringMetrics } from './steering-metrics.ts';

/** Everything `/metrics` shows, on a registry of its own; docs/metrics.md lists it. */
export interface Metrics {
  /** Of one model: for its engine, and for the services. */
  of(modelId: string): { readonly observer: EngineObserver; readonly requests: RequestObserver };
  /** The port's metrics. */
  readonly services: Services['metrics'];
}

/** Process, HTTP and engine metrics. `served` is read at each scrape: the models that are loaded. */
export function createMetrics(served: () => readonly ServedModel[]): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = new MetricSet(registry);
  sampleEventLoopDelay((seconds) => metrics.observe('tiller_event_loop_delay_seconds', {}, seconds));
  return {
    of: (modelId) => {
      const labels = modelLabels(metrics, modelId);
      return { observer: engineMetrics(metrics, labels), requests: steeringMetrics(metrics, labels) };
    },
    services: {
      ...httpMetrics(metrics),
      render: async () => {
        readModels(metrics, served());
        return { contentType: registry.contentType, body: await registry.metrics() };
      },
    },
  };
}
