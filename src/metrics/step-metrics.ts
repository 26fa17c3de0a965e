import type { EngineEvent } from '../../engine/core/index.ts';
import type { Labels, MetricSet } from './metric-set.ts';

type StepEvent = Extract<EngineEvent, { readonly type: 'step' }>;

const phases = ['plan', 'run', 'commit'] as const;

/** Metrics of one step: its time and parts, what it computed, and how it was steered. */
export function stepMetrics(metrics: MetricSet): (event: StepEvent, labels: Labels, vllmLabels: Labels) => void {
  return (event, labels, vllmLabels) => {
    const byKind = { ...labels, kind: event.kind };
    metrics.observe('tiller_step_duration_seconds', byKind, event.milliseconds / 1000);
    for (const phase of phases) {
      metrics.observe('tiller_step_phase_seconds', { ...byKind, phase }, event.phases[phase] / 1000);
    }
    const { predictedMilliseconds: predicted } = event;
    if (predicted !== null && predicted > 0) {
      metrics.observe('tiller_step_time_ratio', byKind, event.milliseconds / predicted);
    }
    metrics.observe('tiller_step_rows', byKind, event.rows);
    metrics.observe('vllm:iteration_tokens_total', vllmLabels, event.tokens);
    metrics.observe('tiller_distinct_steerings', byKind, event.distinctSteerings);
    metrics.increase('tiller_steered_rows_total', byKind, event.steeredRows);
    metrics.increase('tiller_edited_tokens_total', labels, event.editedTokens);
  };
}
