import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../engine/core/index.ts';
import { createMetrics } from '../../src/metrics/create-metrics.ts';
import type { ServedModel } from '../../src/metrics/served-model.ts';
import { finishedEvent, scrape, servedSource, stepEvent, toyMetrics, toyServed } from '../harness/metrics.ts';
import { parsePrometheusText } from '../harness/prometheus-text.ts';

const toy = { model_name: 'toy' };
const vllm = { ...toy, engine: '0' };

async function scrapeAfter(events: readonly EngineEvent[]) {
  const metrics = toyMetrics();
  for (const event of events) metrics.observer(event);
  return scrape(metrics);
}

describe('engine metrics', () => {
  it('show the engine as it is when scraped', async () => {
    const got = await scrapeAfter([]);
    expect(got.value('vllm:num_requests_running', vllm)).toBe(3);
    expect(got.value('vllm:num_requests_waiting', vllm)).toBe(2);
    expect(got.value('vllm:num_requests_waiting_by_reason', { ...vllm, reason: 'deferred' })).toBe(1);
    expect(got.value('vllm:num_requests_waiting_by_reason', { ...vllm, reason: 'capacity' })).toBe(1);
    expect(got.value('vllm:kv_cache_usage_perc', vllm)).toBe(0.25);
    expect(got.value('tiller_kv_cache_bytes', { ...toy, holder: 'rows' })).toBe(4000);
    expect(got.value('tiller_kv_cache_bytes', { ...toy, holder: 'prefix' })).toBe(1600);
    expect(got.value('tiller_kv_cache_limit_bytes', toy)).toBe(16_000);
    expect(got.value('tiller_sae_resident_bytes', { ...toy, source: servedSource })).toBe(4096);
    expect(got.value('tiller_variants', toy)).toBe(3);
    expect(got.value('tiller_draining', toy)).toBe(0);
    expect(got.value('vllm:cache_config_info', { ...vllm, block_size: '16', num_gpu_blocks: '100' })).toBe(1);
    expect(got.value('tiller_ready')).toBe(1);
  });

  it('show that an engine which stopped is not ready', async () => {
    const served = toyServed({ broken: 'a mistake' });
    expect((await scrape(createMetrics(() => (served ? [served] : [])))).value('tiller_ready')).toBe(0);
  });

  it('show the counts that the engine keeps itself, whatever was scraped before', async () => {
    const counts = { prefixQueries: 900, prefixHits: 300, variantBuildMilliseconds: 2500 };
    const served = toyServed(counts);
    const metrics = createMetrics(() => (served ? [served] : []));
    await scrape(metrics);
    counts.prefixHits = 450;
    const got = await scrape(metrics);
    expect(got.value('vllm:prefix_cache_queries_total', vllm)).toBe(900);
    expect(got.value('vllm:prefix_cache_hits_total', vllm)).toBe(450);
    expect(got.value('tiller_variants_built_total', toy)).toBe(5);
    expect(got.value('tiller_variants_evicted_total', toy)).toBe(2);
    expect(got.value('tiller_variant_fallback_steps_total', toy)).toBe(11);
    expect(got.value('tiller_variant_build_seconds_total', toy)).toBe(2.5);
    expect(got.value('tiller_prefix_blocks_evicted_total', toy)).toBe(7);
  });

  it('show no engine, and no made-up name, while the model is being loaded', async () => {
    const { body } = await createMetrics(() => []).services.render();
    const got = parsePrometheusText(body);
    expect(body).not.toContain('model_name=');
    expect(got.value('tiller_ready')).toBe(0);
    expect(got.value('process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  it('are kept of each model apart, and ready is what the first is', async () => {
    const served = [toyServed({ running: 1 }), { ...toyServed({ running: 2, broken: 'no' }), id: 'other' }];
    const metrics = createMetrics(() => served);
    metrics.of('toy').observer({ type: 'corrupted' } as EngineEvent);
    metrics.of('other').observer({ type: 'corrupted' } as EngineEvent);
    metrics.of('other').observer({ type: 'corrupted' } as EngineEvent);
    const got = await scrape(metrics);
    const other = { model_name: 'other', engine: '0' };
    expect([got.value('vllm:num_requests_running', vllm), got.value('vllm:num_requests_running', other)]).toEqual([
      1, 2,
    ]);
    expect([
      got.value('vllm:corrupted_requests_total', vllm),
      got.value('vllm:corrupted_requests_total', other),
    ]).toEqual([1, 2]);
    expect(got.value('tiller_ready')).toBe(1);
  });

  it('begin at 0, so that the first event is a rise', async () => {
    const got = await scrapeAfter([]);
    for (const name of ['vllm:corrupted_requests_total', 'vllm:num_preemptions_total']) {
      expect(got.value(name, vllm), name).toBe(0);
    }
    expect(got.value('vllm:request_success_total', { ...vllm, finished_reason: 'error' })).toBe(0);
    expect(got.value('tiller_prefix_cache_hits_total', { ...toy, steering: 'decode_only' })).toBe(0);
    expect(got.value('vllm:time_to_first_token_seconds_count', vllm)).toBe(0);
    expect(got.value('tiller_step_phase_seconds_bucket', { ...toy, kind: 'decode', phase: 'run', le: '+Inf' })).toBe(0);
  });

  it('go away with their model, gauges at least', async () => {
    let served: ServedModel | null = toyServed();
    const metrics = createMetrics(() => (served ? [served] : []));
    expect((await scrape(metrics)).value('tiller_slots', toy)).toBe(16);
    served = null;
    const got = await scrape(metrics);
    expect(got.samples.filter(({ name }) => name === 'tiller_slots')).toEqual([]);
    expect(got.value('tiller_ready')).toBe(0);
  });

  it('follow a request from queue to end', async () => {
    const got = await scrapeAfter([
      { type: 'queued', requestId: 'a', promptTokens: 30, maxTokens: 64 },
      { type: 'started', requestId: 'a', queueMilliseconds: 500 },
      stepEvent({ kind: 'prefill', rows: 1, tokens: 30, milliseconds: 200, predictedMilliseconds: null }),
      {
        type: 'prompt_read',
        requestId: 'a',
        steeringClass: 'decode_only',
        promptTokens: 30,
        cachedTokens: 16,
        milliseconds: 200,
      },
      { type: 'first_token', requestId: 'a', milliseconds: 700 },
      stepEvent(),
      { type: 'next_token', requestId: 'a', milliseconds: 100 },
      { type: 'next_token', requestId: 'a', milliseconds: 300 },
      finishedEvent({ steered: true }),
    ]);
    const sum = (name: string, labels: Record<string, string> = vllm) => got.value(`${name}_sum`, labels);
    expect(sum('vllm:time_to_first_token_seconds')).toBe(0.7);
    expect(got.value('vllm:time_to_first_token_seconds_bucket', { ...vllm, le: '0.75' })).toBe(1);
    expect(got.value('vllm:time_to_first_token_seconds_bucket', { ...vllm, le: '0.5' })).toBe(0);
    expect(sum('vllm:inter_token_latency_seconds')).toBe(0.4);
    expect(sum('vllm:e2e_request_latency_seconds')).toBe(1.7);
    expect(sum('vllm:request_queue_time_seconds')).toBe(0.5);
    expect(sum('vllm:request_prefill_time_seconds')).toBe(0.2);
    expect(sum('vllm:request_decode_time_seconds')).toBe(1);
    expect(sum('vllm:request_inference_time_seconds')).toBe(1.2);
    expect(sum('vllm:request_time_per_output_token_seconds')).toBeCloseTo(0.1, 9);
    expect(sum('vllm:request_prompt_tokens')).toBe(30);
    expect(sum('vllm:request_generation_tokens')).toBe(11);
    expect(sum('vllm:request_params_max_tokens')).toBe(64);
    expect(sum('vllm:iteration_tokens_total')).toBe(32);
    expect(got.value('vllm:prompt_tokens_total', vllm)).toBe(30);
    expect(got.value('vllm:prompt_tokens_cached_total', vllm)).toBe(16);
    expect(got.value('vllm:generation_tokens_total', vllm)).toBe(3);
    expect(got.value('vllm:request_success_total', { ...vllm, finished_reason: 'stop' })).toBe(1);
    expect(got.value('tiller_prefix_cache_queries_total', { ...toy, steering: 'decode_only' })).toBe(30);
    expect(got.value('tiller_prefix_cache_hits_total', { ...toy, steering: 'decode_only' })).toBe(16);
    expect(got.value('tiller_prefix_cache_hits_total', { ...toy, steering: 'none' })).toBe(0);
    expect(got.value('tiller_steered_requests_total', toy)).toBe(1);
    expect(got.value('tiller_steered_rows_total', { ...toy, kind: 'decode' })).toBe(1);
    expect(got.value('tiller_edited_tokens_total', toy)).toBe(6);
    expect(sum('tiller_step_duration_seconds', { ...toy, kind: 'prefill' })).toBe(0.2);
    expect(sum('tiller_step_phase_seconds', { ...toy, kind: 'decode', phase: 'run' })).toBe(0.016);
    expect(sum('tiller_step_rows', { ...toy, kind: 'decode' })).toBe(2);
    expect(sum('tiller_distinct_steerings', { ...toy, kind: 'decode' })).toBe(1);
    expect(sum('tiller_step_time_ratio', { ...toy, kind: 'decode' })).toBe(1.25);
    expect(got.value('tiller_step_time_ratio_count', { ...toy, kind: 'prefill' })).toBe(0);
  });

  it.each([
    ['cancelled', 'abort'],
    ['deadline', 'deadline'],
    ['error', 'error'],
  ] as const)('count what ended as %s, and leave it out of the latencies', async (outcome, reason) => {
    const got = await scrapeAfter([finishedEvent({ outcome })]);
    expect(got.value('vllm:request_success_total', { ...vllm, finished_reason: reason })).toBe(1);
    expect(got.sum('vllm:request_success_total')).toBe(1);
    expect(got.value('vllm:e2e_request_latency_seconds_count', vllm)).toBe(0);
    expect(got.value('vllm:request_generation_tokens_count', vllm)).toBe(0);
  });

  it('give no time a token where there was one token, or none was timed', async () => {
    const untimed = { queueMilliseconds: null, prefillMilliseconds: null, decodeMilliseconds: null };
    const got = await scrapeAfter([finishedEvent({ completionTokens: 1 }), finishedEvent(untimed)]);
    expect(got.value('vllm:request_time_per_output_token_seconds_count', vllm)).toBe(0);
    expect(got.value('vllm:request_decode_time_seconds_count', vllm)).toBe(1);
    expect(got.value('vllm:request_queue_time_seconds_count', vllm)).toBe(1);
  });

  it('count what went wrong', async () => {
    const got = await scrapeAfter([
      { type: 'preempted', requestId: 'a', tokens: 40 },
      { type: 'preempted', requestId: 'b', tokens: 40 },
      { type: 'corrupted', requestId: 'a' },
      { type: 'step_retried', rows: 4 },
    ]);
    expect(got.value('vllm:num_preemptions_total', vllm)).toBe(2);
    expect(got.value('vllm:corrupted_requests_total', vllm)).toBe(1);
    expect(got.value('tiller_step_retries_total', toy)).toBe(1);
  });
});

describe('HTTP and process metrics', () => {
  it('count answers by route and clients that left', async () => {
    const metrics = toyMetrics();
    metrics.services.observeHttp({ method: 'GET', route: '/healthz', status: 200, seconds: 0.25 });
    metrics.services.clientGone('/v1/completions');
    const got = await scrape(metrics);
    const answer = { method: 'GET', route: '/healthz', status: '200' };
    expect(got.value('tiller_http_request_duration_seconds_sum', answer)).toBe(0.25);
    expect(got.value('tiller_client_disconnects_total', { route: '/v1/completions' })).toBe(1);
    expect(got.value('process_resident_memory_bytes')).toBeGreaterThan(0);
  });
});
