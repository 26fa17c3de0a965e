import { describe, expect, it } from 'vitest';
import type { EngineEvent, EngineStatistics } from '../../engine/core/index.ts';
import { createMetrics } from '../../src/metrics/create-metrics.ts';

const statistics: EngineStatistics = {
  running: 3,
  waiting: 2,
  slots: 16,
  context: 100,
  keyValueTokens: 400,
  queueLimit: 64,
  draining: false,
};

/** Samples of a rendering: `name{labels}` → value. */
async function samples(
  events: readonly EngineEvent[],
  http?: (services: ReturnType<typeof createMetrics>['services']) => void,
) {
  const metrics = createMetrics(() => ({ name: 'toy', statistics }));
  for (const event of events) metrics.observer(event);
  http?.(metrics.services);
  const { body, contentType } = await metrics.services.render();
  expect(contentType).toContain('version=0.0.4');
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('engine metrics', () => {
  it('show the engine as it is when scraped', async () => {
    const got = await samples([]);
    expect(got.get('tiller_num_requests_running{model_name="toy"}')).toBe(3);
    expect(got.get('tiller_num_requests_waiting{model_name="toy"}')).toBe(2);
    expect(got.get('tiller_kv_cache_usage_perc{model_name="toy"}')).toBe(0.25);
    expect(got.get('tiller_draining{model_name="toy"}')).toBe(0);
  });

  it('show no engine, and no made-up name, while the model is being loaded', async () => {
    const { body } = await createMetrics(() => null).services.render();
    expect(body).not.toContain('model_name=');
    expect(body).toContain('process_resident_memory_bytes');
  });

  it('follow a request from queue to end', async () => {
    const got = await samples([
      { type: 'queued', requestId: 'a' },
      { type: 'started', requestId: 'a', queueMilliseconds: 500 },
      { type: 'step', kind: 'prefill', rows: 1, steeredRows: 1, tokens: 30, milliseconds: 200 },
      { type: 'first_token', requestId: 'a', milliseconds: 700 },
      { type: 'step', kind: 'decode', rows: 2, steeredRows: 1, tokens: 2, milliseconds: 20 },
      {
        type: 'finished',
        requestId: 'a',
        outcome: 'stop',
        promptTokens: 30,
        completionTokens: 11,
        steered: true,
        milliseconds: 1700,
      },
    ]);
    const toy = '{model_name="toy"}';
    expect(got.get(`tiller_request_queue_time_seconds_sum${toy}`)).toBe(0.5);
    expect(got.get(`tiller_time_to_first_token_seconds_sum${toy}`)).toBe(0.7);
    expect(got.get(`tiller_time_to_first_token_seconds_bucket{le="0.75",model_name="toy"}`)).toBe(1);
    expect(got.get(`tiller_time_to_first_token_seconds_bucket{le="0.5",model_name="toy"}`)).toBe(0);
    expect(got.get(`tiller_e2e_request_latency_seconds_sum${toy}`)).toBe(1.7);
    expect(got.get(`tiller_request_time_per_output_token_seconds_sum${toy}`)).toBeCloseTo(0.1, 9);
    expect(got.get(`tiller_prompt_tokens_total${toy}`)).toBe(30);
    expect(got.get(`tiller_generation_tokens_total${toy}`)).toBe(11);
    expect(got.get(`tiller_iteration_tokens_total_sum${toy}`)).toBe(32);
    expect(got.get(`tiller_steered_requests_total${toy}`)).toBe(1);
    expect(got.get('tiller_steered_rows_total{model_name="toy",kind="decode"}')).toBe(1);
    expect(got.get('tiller_step_duration_seconds_sum{model_name="toy",kind="prefill"}')).toBe(0.2);
    expect(got.get('tiller_request_success_total{model_name="toy",finished_reason="stop"}')).toBe(1);
  });

  it('leave requests that were cut short out of the latencies', async () => {
    const cut = {
      type: 'finished',
      requestId: 'a',
      outcome: 'cancelled',
      promptTokens: 3,
      completionTokens: 2,
    } as const;
    const got = await samples([{ ...cut, steered: false, milliseconds: 9000 }]);
    expect(got.get('tiller_request_success_total{model_name="toy",finished_reason="cancelled"}')).toBe(1);
    expect(got.get('tiller_e2e_request_latency_seconds_count{model_name="toy"}') ?? 0).toBe(0);
  });
});

describe('HTTP and process metrics', () => {
  it('count answers by route and clients that left', async () => {
    const got = await samples([], (services) => {
      services.observeHttp({ method: 'GET', route: '/healthz', status: 200, seconds: 0.25 });
      services.clientGone('/v1/completions');
    });
    expect(got.get('tiller_http_request_duration_seconds_sum{method="GET",route="/healthz",status="200"}')).toBe(0.25);
    expect(got.get('tiller_client_disconnects_total{route="/v1/completions"}')).toBe(1);
    expect(got.get('process_resident_memory_bytes')).toBeGreaterThan(0);
  });
});
