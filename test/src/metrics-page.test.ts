import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MetricDefinition } from '../../src/metrics/definition.ts';
import { describeMetrics } from '../../src/metrics/describe.ts';
import { labelMeanings } from '../../src/metrics/labels.ts';
import { definitions } from '../../src/metrics/metric-set.ts';
import { processMetrics } from '../../src/metrics/process-definitions.ts';
import { vllmDefinitions } from '../../src/metrics/vllm-definitions.ts';
import { scrape, stepEvent, toyMetrics } from '../harness/metrics.ts';
import { familyOf } from '../harness/prometheus-text.ts';

const own: Record<string, MetricDefinition> = definitions;
const documented: Record<string, Pick<MetricDefinition, 'type'> & { readonly labels: readonly string[] }> = {
  ...own,
  ...processMetrics,
};

describe('docs/metrics.md', () => {
  it('is as it is generated (npm run metrics:docs)', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
    expect(page).toBe(describeMetrics());
  });

  it('has every metric that is scraped, with its type, and no label that it does not name', async () => {
    const metrics = toyMetrics();
    metrics.observer(stepEvent());
    const got = await scrape(metrics);
    const missing = [...got.types.keys()].filter((name) => !(name in documented));
    expect(missing).toEqual([]);
    for (const [name, { type }] of Object.entries(own)) {
      expect(got.types.get(name), name).toBe(type);
      expect(got.help.get(name), name).toBe(own[name]?.help);
    }
    for (const { name, labels } of got.samples) {
      const family = familyOf(name, got.types) ?? name;
      const known = documented[family]?.labels ?? [];
      const { le: _, ...rest } = labels;
      expect(known, `${name} ${JSON.stringify(labels)}`).toEqual(expect.arrayContaining(Object.keys(rest)));
    }
  });

  it.runIf(process.platform === 'linux')('has no metric of the process that is not scraped', async () => {
    const { types } = await scrape(toyMetrics());
    for (const [name, { type }] of Object.entries(processMetrics)) expect(types.get(name), name).toBe(type);
  });

  it('names units and labels that are in use, and metrics by the conventions', () => {
    const used = new Set(Object.values(own).flatMap(({ labels }) => labels));
    expect([...used].toSorted()).toEqual(Object.keys(labelMeanings).toSorted());
    for (const [name, { type, unit, help }] of Object.entries(own)) {
      expect(name).toMatch(/^(vllm:|tiller_)[a-z][a-z0-9_]*$/);
      expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
      if (type === 'counter') expect(name).toMatch(/_total$/);
      // vLLM's own exception
      else if (name !== 'vllm:iteration_tokens_total') expect(name).not.toMatch(/_total$/);
      if (unit === 'seconds') expect(name).toMatch(/_seconds(_total)?$/);
      if (unit === 'bytes') expect(name).toMatch(/_bytes(_total)?$/);
    }
  });

  it("has vLLM's names and labels, as its dashboards and the routers before it read them", () => {
    const expected = [
      'num_requests_running num_requests_waiting num_requests_waiting_by_reason kv_cache_usage_perc cache_config_info',
      'prompt_tokens_total prompt_tokens_cached_total generation_tokens_total prefix_cache_queries_total',
      'prefix_cache_hits_total num_preemptions_total request_success_total corrupted_requests_total',
      'time_to_first_token_seconds inter_token_latency_seconds request_time_per_output_token_seconds',
      'e2e_request_latency_seconds request_queue_time_seconds request_prefill_time_seconds',
      'request_decode_time_seconds request_inference_time_seconds request_prompt_tokens request_generation_tokens',
      'iteration_tokens_total request_params_max_tokens request_params_n',
    ]
      .join(' ')
      .split(' ')
      .map((name) => `vllm:${name}`);
    expect(Object.keys(vllmDefinitions).toSorted()).toEqual(expected.toSorted());
    for (const { labels } of Object.values(vllmDefinitions))
      expect(labels.slice(0, 2)).toEqual(['model_name', 'engine']);
  });
});
