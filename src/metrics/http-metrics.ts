import { Counter, Histogram, type Registry } from 'prom-client';
import type { Services } from '../../routes/services.ts';
import { httpBuckets } from './buckets.ts';

/** Metrics of the HTTP layer, registered on `registry`. */
export function httpMetrics(registry: Registry): Pick<Services['metrics'], 'observeHttp' | 'clientGone'> {
  const registers = [registry];
  const duration = new Histogram({
    name: 'tiller_http_request_duration_seconds',
    help: 'Seconds until the last byte of an answer, by route pattern. A client that left counts as status 499.',
    labelNames: ['method', 'route', 'status'],
    buckets: httpBuckets,
    registers,
  });
  const disconnects = new Counter({
    name: 'tiller_client_disconnects_total',
    help: 'Clients that left before their answer was complete.',
    labelNames: ['route'],
    registers,
  });
  return {
    observeHttp: ({ method, route, status, seconds }) =>
      duration.observe({ method, route, status: String(status) }, seconds),
    clientGone: (route) => disconnects.inc({ route }),
  };
}
