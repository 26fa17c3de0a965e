import { machineLine, number, percent, table } from '../markdown.ts';
import { median } from '../statistics.ts';
import { httpShare } from './gates.ts';
import type { ServiceResults } from './results.ts';

export function serviceTable(results: ServiceResults): string {
  const { openLoop, closedBatch, plainRoutes, settings, machine } = results;
  const milliseconds = (value: number) => value.toFixed(0);
  const open = openLoop.runs.map(({ request_rate, steered, figures }) => [
    `${request_rate}${steered ? `, ${percent(openLoop.steeredShare)} steered ${openLoop.distinctSteerings} ways` : ''}`,
    ...[figures.ttft_ms.median, figures.ttft_ms.p90, figures.ttft_ms.p99].map(milliseconds),
    ...[figures.itl_ms.median, figures.itl_ms.p90, figures.itl_ms.p99].map(milliseconds),
    milliseconds(figures.tpot_ms.median),
    ...[figures.e2el_ms.median, figures.e2el_ms.p90, figures.e2el_ms.p99].map(milliseconds),
    number(figures.output_throughput),
    `${figures.request_goodput.toFixed(2)} of ${figures.request_throughput.toFixed(2)}`,
  ]);
  const routes = plainRoutes.routes.map(({ route, requestsPerSecond, latency_ms }) => [
    `\`${route}\``,
    requestsPerSecond.toFixed(0),
    milliseconds(latency_ms.p50),
    milliseconds(latency_ms.p99),
  ]);
  const percentiles = (name: string) => ['p50', 'p90', 'p99'].map((part) => `${name} ${part}`);
  const head = [
    'requests/s',
    ...percentiles('TTFT'),
    ...percentiles('ITL'),
    'TPOT p50',
    ...percentiles('e2e'),
    'tokens/s',
    'goodput',
  ];
  const rate = (values: readonly number[]) => number(median(values));
  return [
    table(head, open),
    `Open loop over HTTP with SSE, milliseconds, precision ${settings.precision}: ${openLoop.num_prompts} requests at each rate, burstiness ${openLoop.burstiness}, seed ${openLoop.seed}, about ${openLoop.random_input_len} tokens in and ${openLoop.random_output_len} out (± ${percent(openLoop.random_range_ratio)}); goodput counts requests with TTFT ≤ ${openLoop.goodput.ttft} ms and TPOT ≤ ${openLoop.goodput.tpot} ms. Names and definitions are those of \`vllm bench serve\`; client and service share the machine.`,
    `${closedBatch.streams} streams at once: ${rate(closedBatch.http)} tokens/s over HTTP with SSE, ${rate(closedBatch.engine)} through the engine alone: ${percent(httpShare(results))}; event-loop delay p99 ${(1000 * median(closedBatch.eventLoopDelayP99)).toFixed(1)} ms (medians of ${closedBatch.rounds} rounds).`,
    table(['route, nothing generated', 'requests/s', 'p50 ms', 'p99 ms'], routes),
    `autocannon, ${plainRoutes.connections} connections, ${plainRoutes.seconds} s each. ${machineLine(machine)}`,
  ].join('\n\n');
}
