import type { Services } from '../../routes/services.ts';
import { labelMeanings } from './labels.ts';
import type { MetricSet } from './metric-set.ts';

const methods: readonly string[] = labelMeanings.method.values;

/** Metrics of the HTTP layer. Routes come as patterns; a method that nobody needs could be anything and is `other`. */
export function httpMetrics(metrics: MetricSet): Pick<Services['metrics'], 'observeHttp' | 'clientGone'> {
  return {
    observeHttp: ({ method, route, status, seconds }) => {
      const labels = { method: methods.includes(method) ? method : 'other', route, status: String(status) };
      metrics.observe('tiller_http_request_duration_seconds', labels, seconds);
    },
    clientGone: (route) => metrics.increase('tiller_client_disconnects_total', { route }),
  };
}
