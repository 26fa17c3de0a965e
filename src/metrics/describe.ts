import type { Definitions } from './definition.ts';
import { type LabelMeaning, labelMeanings } from './labels.ts';
import { type ProcessMetric, processMetrics } from './process-definitions.ts';
import { tillerDefinitions } from './tiller-definitions.ts';
import { vllmDefinitions } from './vllm-definitions.ts';

/** docs/metrics.md, from the definitions that the registry is made of. */
export function describeMetrics(): string {
  return `# Metrics

\`GET /metrics\` answers in Prometheus's text format. This page is generated (\`npm run metrics:docs\`) from the definitions
that the metrics themselves are made of; a test fails while it is stale. [deploy/](../deploy/README.md) has a Grafana
dashboard and alert rules over them.

What vLLM has a name for is under vLLM's name, with its labels and buckets, so that dashboards, autoscalers and routers
written for it work; \`lora_requests_info\` is left out, as Tiller has no adapters. A reply is a request: \`n\` choices are
\`n\` of them. Only replies that came to their end (\`stop\`, \`length\`) enter histograms of whole requests. A histogram has
the series \`…_bucket\`, \`…_sum\` and \`…_count\`.

Of the delays of the event loop, use \`tiller_event_loop_delay_seconds\`: the \`nodejs_eventloop_lag_*\` of prom-client are
gauges since the last scrape and include the 10 ms of their own timer.

## Under vLLM's names

${table(vllmDefinitions)}

## Tiller's own

${table(tillerDefinitions)}

## Labels

No label holds what a client made up, so the number of series is bounded; a test feeds names, routes and ids and counts.

${rows(['label', 'says', 'values'], Object.entries(labelMeanings).map(labelRow))}

## The process

From prom-client; those marked ¹ on Linux only.

${rows(['metric', 'type', 'unit', 'labels', 'what it is'], Object.entries(processMetrics).map(processRow))}

## Buckets

${rows(['metric', 'upper bounds'], bucketRows({ ...vllmDefinitions, ...tillerDefinitions }))}
`;
}

function table(definitions: Definitions): string {
  return rows(
    ['metric', 'type', 'unit', 'labels', 'what it is'],
    Object.entries(definitions).map(([name, { type, unit, labels, help }]) => [
      code(name),
      type,
      unit,
      labels.map(code).join(', '),
      help,
    ]),
  );
}

function labelRow([name, { means, values }]: [string, LabelMeaning]): string[] {
  return [code(name), means, typeof values === 'string' ? values : values.map(code).join(', ')];
}

function processRow([name, metric]: [string, ProcessMetric]): string[] {
  const { type, unit, labels, help, linuxOnly } = metric;
  return [`${code(name)}${linuxOnly ? '¹' : ''}`, type, unit, labels.map(code).join(', '), help];
}

function bucketRows(definitions: Definitions): string[][] {
  return Object.entries(definitions).flatMap(([name, definition]) =>
    definition.type === 'histogram' ? [[code(name), definition.buckets.join(' ')]] : [],
  );
}

function rows(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}
