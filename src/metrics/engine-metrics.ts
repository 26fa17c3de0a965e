import type { EngineEvent, EngineObserver } from '../../engine/core/index.ts';
import type { Labels, MetricSet } from './metric-set.ts';
import type { ModelLabels } from './model-labels.ts';
import { stepMetrics } from './step-metrics.ts';

type FinishedEvent = Extract<EngineEvent, { readonly type: 'finished' }>;

/** vLLM's word for each way to end; a deadline and a rule that stops are Tiller's own. */
const finishedReasons: Record<FinishedEvent['outcome'], string> = {
  stop: 'stop',
  length: 'length',
  rule: 'rule',
  cancelled: 'abort',
  deadline: 'deadline',
  error: 'error',
};

/** Turns the engine's events into metrics. */
export function engineMetrics(metrics: MetricSet, labelsNow: () => ModelLabels): EngineObserver {
  const step = stepMetrics(metrics);
  return (event) => {
    const { own: labels, vllm: vllmLabels } = labelsNow();
    switch (event.type) {
      case 'step':
        return step(event, labels, vllmLabels);
      case 'queued':
        return metrics.observe('vllm:request_params_max_tokens', vllmLabels, event.maxTokens);
      case 'prompt_read': {
        const bySteering = { ...labels, steering: event.steeringClass };
        metrics.increase('vllm:prompt_tokens_total', vllmLabels, event.promptTokens);
        metrics.increase('vllm:prompt_tokens_cached_total', vllmLabels, event.cachedTokens);
        metrics.increase('tiller_prefix_cache_queries_total', bySteering, event.promptTokens);
        metrics.increase('tiller_prefix_cache_hits_total', bySteering, event.cachedTokens);
        return;
      }
      case 'first_token':
        metrics.increase('vllm:generation_tokens_total', vllmLabels);
        return metrics.observe('vllm:time_to_first_token_seconds', vllmLabels, event.milliseconds / 1000);
      case 'next_token':
        metrics.increase('vllm:generation_tokens_total', vllmLabels);
        return metrics.observe('vllm:inter_token_latency_seconds', vllmLabels, event.milliseconds / 1000);
      case 'preempted':
        return metrics.increase('vllm:num_preemptions_total', vllmLabels);
      case 'corrupted':
        return metrics.increase('vllm:corrupted_requests_total', vllmLabels);
      case 'step_retried':
        return metrics.increase('tiller_step_retries_total', labels);
      case 'finished':
        return finished(metrics, event, labels, vllmLabels);
      case 'started':
        return;
    }
  };
}

function finished(metrics: MetricSet, event: FinishedEvent, labels: Labels, vllmLabels: Labels): void {
  const { outcome, promptTokens, completionTokens } = event;
  metrics.increase('vllm:request_success_total', { ...vllmLabels, finished_reason: finishedReasons[outcome] });
  if (event.steered) metrics.increase('tiller_steered_requests_total', labels);
  if (outcome !== 'stop' && outcome !== 'length' && outcome !== 'rule') return;
  metrics.observe('vllm:e2e_request_latency_seconds', vllmLabels, event.milliseconds / 1000);
  metrics.observe('vllm:request_prompt_tokens', vllmLabels, promptTokens);
  metrics.observe('vllm:request_generation_tokens', vllmLabels, completionTokens);
  const { queueMilliseconds: queue, prefillMilliseconds: prefill, decodeMilliseconds: decode } = event;
  if (queue !== null) metrics.observe('vllm:request_queue_time_seconds', vllmLabels, queue / 1000);
  if (prefill === null || decode === null) return;
  metrics.observe('vllm:request_prefill_time_seconds', vllmLabels, prefill / 1000);
  metrics.observe('vllm:request_decode_time_seconds', vllmLabels, decode / 1000);
  metrics.observe('vllm:request_inference_time_seconds', vllmLabels, (prefill + decode) / 1000);
  if (completionTokens < 2) return;
  const perToken = decode / 1000 / (completionTokens - 1);
  metrics.observe('vllm:request_time_per_output_token_seconds', vllmLabels, perToken);
}
