import { collectDefaultMetrics, Registry } from 'prom-client';
import type { EngineObserver, EngineStatistics } from '../../engine/core/index.ts';
import type { Services } from '../../routes/services.ts';
import { engineGauges } from './engine-gauges.ts';
import { engineMetrics } from './engine-metrics.ts';
import { httpMetrics } from './http-metrics.ts';

/** Everything `/metrics` shows, on a registry of its own. */
export interface Metrics {
  /** Give it to the engine. */
  readonly observer: EngineObserver;
  /** The port's metrics. */
  readonly services: Services['metrics'];
}

/** The model that is served, as metrics see it. */
export interface ServedModel {
  /** Its id, the label `model_name`. */
  readonly name: string;
  readonly statistics: EngineStatistics;
}

/** Process, HTTP and engine metrics of the one served model. `served` is read at each scrape; null while it is being loaded. */
export function createMetrics(served: () => ServedModel | null): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  engineGauges(registry, served);
  return {
    observer: engineMetrics(registry, () => served()?.name ?? ''),
    services: {
      ...httpMetrics(registry),
      render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    },
  };
}
