import { collectDefaultMetrics, Registry } from 'prom-client';
import type { EngineObserver } from '../../engine/core/index.ts';
import type { Services } from '../../routes/services.ts';
import { readModel } from './engine-gauges.ts';
import { engineMetrics } from './engine-metrics.ts';
import { sampleEventLoopDelay } from './event-loop-delay.ts';
import { httpMetrics } from './http-metrics.ts';
import { MetricSet } from './metric-set.ts';
import { modelLabels } from './model-labels.ts';
import type { ServedModel } from './served-model.ts';
import { type RequestObserver, steeringMetrics } from './steering-metrics.ts';

/** Everything `/metrics` shows, on a registry of its own; docs/metrics.md lists it. */
export interface Metrics {
  /** Give it to the engine. */
  readonly observer: EngineObserver;
  /** Give it to the services. */
  readonly requests: RequestObserver;
  /** The port's metrics. */
  readonly services: Services['metrics'];
}

/** Process, HTTP and engine metrics of the one served model. `served` is read at each scrape; null while it is being loaded. */
export function createMetrics(served: () => ServedModel | null): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = new MetricSet(registry);
  sampleEventLoopDelay((seconds) => metrics.observe('tiller_event_loop_delay_seconds', {}, seconds));
  // an engine only runs once its model is served
  const labels = modelLabels(metrics, () => served()?.id ?? '');
  return {
    observer: engineMetrics(metrics, labels),
    requests: steeringMetrics(metrics, labels),
    services: {
      ...httpMetrics(metrics),
      render: async () => {
        readModel(metrics, served());
        return { contentType: registry.contentType, body: await registry.metrics() };
      },
    },
  };
}
