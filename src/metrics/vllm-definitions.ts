import {
  choiceBuckets,
  iterationTokenBuckets,
  requestLatencyBuckets,
  timePerOutputTokenBuckets,
  timeToFirstTokenBuckets,
  tokenBuckets,
} from './buckets.ts';
import type { Definitions } from './definition.ts';

const labels = ['model_name', 'engine'] as const;
const latency = { type: 'histogram', unit: 'seconds', labels, buckets: requestLatencyBuckets } as const;
const perToken = { type: 'histogram', unit: 'seconds', labels, buckets: timePerOutputTokenBuckets } as const;
const tokens = { type: 'histogram', unit: 'tokens', labels, buckets: tokenBuckets } as const;

/**
 * Metrics under vLLM's own names, types, labels and buckets (its metrics loggers, 2026-07), so that what reads vLLM's reads
 * Tiller's: dashboards, autoscalers, routers. A choice of a request (`n`) counts as a request, as there. Only replies that
 * came to their end (`stop`, `length`) enter histograms of whole requests.
 */
export const vllmDefinitions = {
  'vllm:num_requests_running': { type: 'gauge', unit: 'requests', labels, help: 'Requests that hold a row now.' },
  'vllm:num_requests_waiting': { type: 'gauge', unit: 'requests', labels, help: 'Requests in the queue now.' },
  'vllm:num_requests_waiting_by_reason': {
    type: 'gauge',
    unit: 'requests',
    labels: [...labels, 'reason'],
    help: 'Requests in the queue now, by what they wait for; the reasons add up to vllm:num_requests_waiting.',
  },
  'vllm:kv_cache_usage_perc': {
    type: 'gauge',
    unit: 'ratio',
    labels,
    help: 'Share of the KV cache that running requests hold, 0 to 1. Prompts kept for later give way and do not count.',
  },
  'vllm:cache_config_info': {
    type: 'gauge',
    unit: 'always 1',
    labels: [...labels, 'block_size', 'num_gpu_blocks'],
    help: "Size of the KV cache, in its labels; of vLLM's, those two that routers read.",
  },
  'vllm:prompt_tokens_total': {
    type: 'counter',
    unit: 'tokens',
    labels,
    help: 'Prompt tokens read, those from the prefix cache included.',
  },
  'vllm:prompt_tokens_cached_total': {
    type: 'counter',
    unit: 'tokens',
    labels,
    help: 'Prompt tokens that were taken from the prefix cache instead of being computed.',
  },
  'vllm:generation_tokens_total': { type: 'counter', unit: 'tokens', labels, help: 'Tokens generated.' },
  'vllm:prefix_cache_queries_total': {
    type: 'counter',
    unit: 'tokens',
    labels,
    help: 'Prompt tokens looked up in the prefix cache.',
  },
  'vllm:prefix_cache_hits_total': {
    type: 'counter',
    unit: 'tokens',
    labels,
    help: 'Prompt tokens found in the prefix cache.',
  },
  'vllm:num_preemptions_total': {
    type: 'counter',
    unit: 'requests',
    labels,
    help: 'Times that a running request gave its memory back to an earlier one, to go on later.',
  },
  'vllm:request_success_total': {
    type: 'counter',
    unit: 'requests',
    labels: [...labels, 'finished_reason'],
    help: 'Requests that ended, by how.',
  },
  'vllm:corrupted_requests_total': {
    type: 'counter',
    unit: 'requests',
    labels,
    help: 'Requests ended because their logits were not finite numbers.',
  },
  'vllm:time_to_first_token_seconds': {
    type: 'histogram',
    unit: 'seconds',
    labels,
    buckets: timeToFirstTokenBuckets,
    help: 'From arrival to the first token.',
  },
  'vllm:inter_token_latency_seconds': { ...perToken, help: 'From one token of a reply to the next.' },
  'vllm:request_time_per_output_token_seconds': {
    ...perToken,
    help: 'Mean time a token after the first, one observation a request.',
  },
  'vllm:e2e_request_latency_seconds': { ...latency, help: 'From arrival to the last token.' },
  'vllm:request_queue_time_seconds': { ...latency, help: 'From arrival to the first step.' },
  'vllm:request_prefill_time_seconds': { ...latency, help: 'From the first step to the first token.' },
  'vllm:request_decode_time_seconds': { ...latency, help: 'From the first token to the last.' },
  'vllm:request_inference_time_seconds': { ...latency, help: 'From the first step to the last token.' },
  'vllm:request_prompt_tokens': { ...tokens, help: 'Prompt tokens of a request.' },
  'vllm:request_generation_tokens': { ...tokens, help: 'Tokens generated for a request.' },
  'vllm:request_params_max_tokens': { ...tokens, help: 'Most tokens that a request could get, of those accepted.' },
  'vllm:request_params_n': {
    type: 'histogram',
    unit: 'replies',
    labels,
    buckets: choiceBuckets,
    help: 'Replies asked for to one prompt, of those accepted.',
  },
  'vllm:iteration_tokens_total': {
    type: 'histogram',
    unit: 'tokens',
    labels,
    buckets: iterationTokenBuckets,
    help: 'Tokens that one step computed. A histogram in spite of its name.',
  },
} as const satisfies Definitions;
