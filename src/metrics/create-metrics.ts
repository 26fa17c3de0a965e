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

/** Process, HTTP and engine metrics of the one served model. `statistics` is read at each scrape. */
export function createMetrics(modelName: string, statistics: () => EngineStatistics): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  engineGauges(registry, modelName, statistics);
  return {
    observer: engineMetrics(registry, modelName),
    services: {
      ...httpMetrics(registry),
      render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    },
  };
}
