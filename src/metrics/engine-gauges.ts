import { Gauge, type Registry } from 'prom-client';
import type { EngineStatistics } from '../../engine/core/index.ts';
import type { ServedModel } from './create-metrics.ts';

/** What each gauge reads from a snapshot of the engine. The first three are what inference gateways schedule by. */
const gauges: Record<string, { readonly help: string; readonly read: (now: EngineStatistics) => number }> = {
  tiller_num_requests_running: { help: 'Requests that hold a row now.', read: (now) => now.running },
  tiller_num_requests_waiting: { help: 'Requests in the queue now.', read: (now) => now.waiting },
  tiller_kv_cache_usage_perc: {
    help: 'Share of the KV cache in use, 0 to 1.',
    read: ({ keyValueTokens, slots, context }) => (slots * context === 0 ? 0 : keyValueTokens / (slots * context)),
  },
  tiller_slots: { help: 'Rows that can run at once.', read: (now) => now.slots },
  tiller_queue_limit: { help: 'Requests that the queue holds before it refuses.', read: (now) => now.queueLimit },
  tiller_draining: { help: '1 while the service shuts down.', read: (now) => Number(now.draining) },
};

/** Registers gauges that read the engine when they are scraped; they show nothing while there is none. */
export function engineGauges(registry: Registry, served: () => ServedModel | null): void {
  for (const [name, { help, read }] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      labelNames: ['model_name'],
      registers: [registry],
      collect() {
        const model = served();
        if (model) this.set({ model_name: model.name }, read(model.statistics));
      },
    });
  }
}
