import type { EngineStatistics } from '../../engine/core/index.ts';
import type { CounterName, GaugeName, MetricSet } from './metric-set.ts';
import type { ServedModel } from './served-model.ts';

type Read = (now: EngineStatistics) => number;

const vllmGauges = {
  'vllm:num_requests_running': (now) => now.running,
  'vllm:num_requests_waiting': (now) => now.waiting,
  'vllm:kv_cache_usage_perc': ({ keyValueTokens, keyValueTokenLimit }) => share(keyValueTokens, keyValueTokenLimit),
} as const satisfies Partial<Record<GaugeName, Read>>;

const vllmCounters = {
  'vllm:prefix_cache_queries_total': (now) => now.prefixQueries,
  'vllm:prefix_cache_hits_total': (now) => now.prefixHits,
} as const satisfies Partial<Record<CounterName, Read>>;

const tillerGauges = {
  tiller_draining: (now) => Number(now.draining),
  tiller_slots: (now) => now.slots,
  tiller_queue_limit: (now) => now.queueLimit,
  tiller_kv_cache_limit_bytes: (now) => now.keyValueTokenLimit * now.keyValueTokenBytes,
  tiller_variants: (now) => now.variantsCached,
} as const satisfies Partial<Record<GaugeName, Read>>;

const tillerCounters = {
  tiller_prefix_blocks_evicted_total: (now) => now.prefixBlocksEvicted,
  tiller_variants_built_total: (now) => now.variantsBuilt,
  tiller_variants_evicted_total: (now) => now.variantsEvicted,
  tiller_variant_fallback_steps_total: (now) => now.variantFallbackSteps,
  tiller_variant_build_seconds_total: (now) => now.variantBuildMilliseconds / 1000,
} as const satisfies Partial<Record<CounterName, Read>>;

/**
 * Reads the models as they are now; for the moment of a scrape. A model that is not loaded has no gauges. Ready is what the first
 * one is.
 */
export function readModels(metrics: MetricSet, served: readonly ServedModel[]): void {
  metrics.clearGauges();
  for (const [index, model] of served.entries()) {
    const now = model.engine.statistics();
    if (index === 0) metrics.set('tiller_ready', {}, Number(!now.draining && now.broken === null));
    readModel(metrics, model, now);
  }
}

function readModel(metrics: MetricSet, served: ServedModel, now: EngineStatistics): void {
  metrics.begin(served.id);
  const labels = { model_name: served.id };
  const vllmLabels = { ...labels, engine: '0' };
  for (const [name, read] of entries(vllmGauges)) metrics.set(name, vllmLabels, read(now));
  for (const [name, read] of entries(vllmCounters)) metrics.count(name, vllmLabels, read(now));
  for (const [name, read] of entries(tillerGauges)) metrics.set(name, labels, read(now));
  for (const [name, read] of entries(tillerCounters)) metrics.count(name, labels, read(now));
  const reasons = { deferred: now.waitingForVariant, capacity: now.waiting - now.waitingForVariant };
  for (const [reason, requests] of entries(reasons)) {
    metrics.set('vllm:num_requests_waiting_by_reason', { ...vllmLabels, reason }, requests);
  }
  const { blockTokens } = served.model.executor.blocks;
  const blocks = String(Math.floor(now.keyValueTokenLimit / blockTokens));
  metrics.set('vllm:cache_config_info', { ...vllmLabels, block_size: String(blockTokens), num_gpu_blocks: blocks }, 1);
  const holders = { rows: now.keyValueTokens, prefix: now.prefixTokens };
  for (const [holder, tokens] of entries(holders)) {
    metrics.set('tiller_kv_cache_bytes', { ...labels, holder }, tokens * now.keyValueTokenBytes);
  }
  for (const { id, residentBytes } of served.registry.sources) {
    metrics.set('tiller_sae_resident_bytes', { ...labels, source: id }, residentBytes);
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function entries<Table extends object>(table: Table): [keyof Table & string, Table[keyof Table]][] {
  return Object.entries(table) as [keyof Table & string, Table[keyof Table]][];
}
