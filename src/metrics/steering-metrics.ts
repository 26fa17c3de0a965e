import type { SteeringMode } from '../../engine/core/index.ts';
import type { MetricSet } from './metric-set.ts';
import type { ModelLabels } from './model-labels.ts';

/** An edit as metrics count it. */
export interface EditKind {
  readonly mode: SteeringMode;
  /** Id of the SAE whose feature it uses; `vector` for a dense direction. */
  readonly source: string;
  /** Who chose the profile that it is from; null: it is the request's own. */
  readonly profile: 'request' | 'default' | null;
}

/** Is told of requests what only their caller's side knows. */
export interface RequestObserver {
  /** A prompt was accepted, with so many replies to it. */
  promptAccepted(choices: number): void;
  /** A request with this edit was accepted. */
  editAccepted(edit: EditKind): void;
  /** A request with this edit finished; null: it was applied at no token. */
  editFinished(edit: EditKind, relativeDose: number | null, tokens: number): void;
  /** A reply with a rule finished. */
  ruleFinished(outcome: 'idle' | 'fired' | 'stopped'): void;
}

/** Metrics of requests and their steering. */
export function steeringMetrics(metrics: MetricSet, labelsNow: () => ModelLabels): RequestObserver {
  return {
    promptAccepted: (choices) => metrics.observe('vllm:request_params_n', labelsNow().vllm, choices),
    editAccepted: ({ mode, source, profile }) => {
      const { own } = labelsNow();
      metrics.increase('tiller_steering_edits_total', { ...own, mode, source });
      if (profile !== null) metrics.increase('tiller_profile_edits_total', { ...own, chosen_by: profile });
    },
    editFinished: ({ mode, source }, relativeDose, tokens) => {
      const labels = { ...labelsNow().own, source };
      if (tokens === 0) metrics.increase('tiller_steering_edits_idle_total', { ...labels, mode });
      if (relativeDose !== null) metrics.observe('tiller_relative_dose', labels, relativeDose);
    },
    ruleFinished: (outcome) => metrics.increase('tiller_steering_rules_total', { ...labelsNow().own, outcome }),
  };
}
