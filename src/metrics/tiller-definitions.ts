import {
  doseBuckets,
  eventLoopDelayBuckets,
  httpBuckets,
  ratioBuckets,
  rowBuckets,
  steeringBuckets,
  stepBuckets,
} from './buckets.ts';
import type { Definitions } from './definition.ts';

const labels = ['model_name'] as const;
const byKind = ['model_name', 'kind'] as const;
const bySteering = ['model_name', 'steering'] as const;
const byEdit = ['model_name', 'mode', 'source'] as const;

/** Tiller's own metrics: what vLLM has no name for. */
export const tillerDefinitions = {
  tiller_ready: { type: 'gauge', unit: '0 or 1', labels: [], help: '1 while the model answers requests, as /readyz.' },
  tiller_draining: { type: 'gauge', unit: '0 or 1', labels, help: '1 while the engine shuts down.' },
  tiller_slots: { type: 'gauge', unit: 'rows', labels, help: 'Rows that can run at once.' },
  tiller_queue_limit: {
    type: 'gauge',
    unit: 'requests',
    labels,
    help: 'Requests that the queue holds before it refuses.',
  },
  tiller_kv_cache_bytes: {
    type: 'gauge',
    unit: 'bytes',
    labels: ['model_name', 'holder'],
    help: 'Memory of the KV cache in use, by who holds it.',
  },
  tiller_kv_cache_limit_bytes: {
    type: 'gauge',
    unit: 'bytes',
    labels,
    help: 'Most memory that the KV cache may take, prompts kept for later included.',
  },
  tiller_prefix_blocks_evicted_total: {
    type: 'counter',
    unit: 'blocks',
    labels,
    help: 'Blocks of the prefix cache given up to make room.',
  },
  tiller_prefix_cache_queries_total: {
    type: 'counter',
    unit: 'tokens',
    labels: bySteering,
    help: 'Prompt tokens of requests whose prompt has been read, by how the request is steered.',
  },
  tiller_prefix_cache_hits_total: {
    type: 'counter',
    unit: 'tokens',
    labels: bySteering,
    help: 'Those of tiller_prefix_cache_queries_total that came from the prefix cache.',
  },
  tiller_steering_edits_total: {
    type: 'counter',
    unit: 'edits',
    labels: byEdit,
    help: 'Edits of accepted requests; a choice of a request counts as a request.',
  },
  tiller_profile_edits_total: {
    type: 'counter',
    unit: 'edits',
    labels: ['model_name', 'chosen_by'],
    help: 'Those of tiller_steering_edits_total that came from a profile, by who chose it.',
  },
  tiller_steering_edits_idle_total: {
    type: 'counter',
    unit: 'edits',
    labels: byEdit,
    help: 'Edits of finished requests that were applied at no token: nothing was steered.',
  },
  tiller_steering_rules_total: {
    type: 'counter',
    unit: 'rules',
    labels: ['model_name', 'outcome'],
    help: 'Rules of finished replies, by whether their condition ever held.',
  },
  tiller_relative_dose: {
    type: 'histogram',
    unit: 'ratio',
    labels: ['model_name', 'source'],
    buckets: doseBuckets,
    help: 'Mean size of what an edit wrote relative to the stream it wrote to, one observation for each edit of a finished request.',
  },
  tiller_steered_requests_total: {
    type: 'counter',
    unit: 'requests',
    labels,
    help: 'Finished requests that had edits.',
  },
  tiller_steered_rows_total: {
    type: 'counter',
    unit: 'rows',
    labels: byKind,
    help: 'Rows with edits, summed over steps.',
  },
  tiller_edited_tokens_total: {
    type: 'counter',
    unit: 'tokens',
    labels,
    help: 'Tokens that an edit named, counted once for each edit.',
  },
  tiller_distinct_steerings: {
    type: 'histogram',
    unit: 'steerings',
    labels: byKind,
    buckets: steeringBuckets,
    help: 'Different sets of edits among the rows of a step; rows without edits do not count.',
  },
  tiller_sae_resident_bytes: {
    type: 'gauge',
    unit: 'bytes',
    labels: ['model_name', 'source'],
    help: 'Memory that the arrays of a loaded SAE hold: weights and statistics, without labels.',
  },
  tiller_variants: { type: 'gauge', unit: 'variants', labels, help: 'Graph variants that are ready to run.' },
  tiller_variants_built_total: { type: 'counter', unit: 'variants', labels, help: 'Graph variants built.' },
  tiller_variants_evicted_total: {
    type: 'counter',
    unit: 'variants',
    labels,
    help: 'Graph variants closed to make room.',
  },
  tiller_variant_fallback_steps_total: {
    type: 'counter',
    unit: 'steps',
    labels,
    help: 'Steps that ran a wider graph variant while theirs was being built.',
  },
  tiller_variant_build_seconds_total: {
    type: 'counter',
    unit: 'seconds',
    labels,
    help: 'Time spent on building graph variants.',
  },
  tiller_step_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: byKind,
    buckets: stepBuckets,
    help: 'Time of one step, all of its phases.',
  },
  tiller_step_phase_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['model_name', 'kind', 'phase'],
    buckets: stepBuckets,
    help: 'Time of one step, by phase.',
  },
  tiller_step_rows: { type: 'histogram', unit: 'rows', labels: byKind, buckets: rowBuckets, help: 'Rows of one step.' },
  tiller_step_time_ratio: {
    type: 'histogram',
    unit: 'ratio',
    labels: byKind,
    buckets: ratioBuckets,
    help: 'Time of one step over what the scheduler had predicted; 1 is exact.',
  },
  tiller_step_retries_total: {
    type: 'counter',
    unit: 'steps',
    labels,
    help: 'Steps that failed and whose rows were run again one by one.',
  },
  tiller_event_loop_delay_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: [],
    buckets: eventLoopDelayBuckets,
    help: 'How late the event loop was, sampled every 10 ms: what anything due at a random moment waits.',
  },
  tiller_http_request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['method', 'route', 'status'],
    buckets: httpBuckets,
    help: 'Time until the last byte of an answer.',
  },
  tiller_client_disconnects_total: {
    type: 'counter',
    unit: 'answers',
    labels: ['route'],
    help: 'Clients that left before their answer was complete.',
  },
} as const satisfies Definitions;
