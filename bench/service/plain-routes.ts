import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { installedPackage } from '../install-packages.ts';

/** What is asked of routes that generate nothing: name, path, and flags of autocannon. */
const routes = [
  { name: 'GET /healthz', path: '/healthz', status: 200, flags: [] },
  { name: 'GET /v1/models', path: '/v1/models', status: 200, flags: [] },
  { name: 'GET /metrics', path: '/metrics', status: 200, flags: [] },
  {
    name: 'POST /v1/chat/completions, refused',
    path: '/v1/chat/completions',
    status: 400,
    flags: ['-m', 'POST', '-H', 'content-type=application/json', '-b', '{"messages":[],"max_tokens":-1}'],
  },
] as const;

/** What of autocannon's --json is used. Milliseconds. */
const report = z.object({
  errors: z.number(),
  timeouts: z.number(),
  statusCodeStats: z.record(z.string(), z.object({ count: z.number() })),
  requests: z.object({ average: z.number() }),
  latency: z.object({ mean: z.number(), p50: z.number(), p90: z.number(), p99: z.number(), max: z.number() }),
});

export const plainRouteResult = z.object({
  route: z.string(),
  status: z.number(),
  requestsPerSecond: z.number().positive(),
  latency_ms: report.shape.latency,
});
export type PlainRouteResult = z.infer<typeof plainRouteResult>;

/** Loads each route with autocannon, a closed loop over `connections`. Throws for any other status than the route's, and for errors. */
export async function measurePlainRoutes(
  url: string,
  seconds: number,
  connections: number,
): Promise<PlainRouteResult[]> {
  const results: PlainRouteResult[] = [];
  for (const { name, path, status, flags } of routes) {
    const script = join(installedPackage('autocannon'), 'autocannon.js');
    const args = [script, '-j', '-n', '-c', String(connections), '-d', String(seconds), ...flags, url + path];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { errors, timeouts, statusCodeStats, requests, latency } = report.parse(JSON.parse(stdout));
    const others = Object.keys(statusCodeStats).filter((code) => code !== String(status));
    if (errors + timeouts > 0 || others.length > 0) {
      throw new Error(`${name}: ${errors} errors, ${timeouts} timeouts, statuses ${Object.keys(statusCodeStats)}`);
    }
    console.error(`${name}: ${requests.average.toFixed(0)} a second, p99 ${latency.p99} ms`);
    results.push({ route: name, status, requestsPerSecond: requests.average, latency_ms: latency });
  }
  return results;
}
