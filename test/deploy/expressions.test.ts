import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { MetricDefinition } from '../../src/metrics/definition.ts';
import { labelMeanings } from '../../src/metrics/labels.ts';
import { definitions } from '../../src/metrics/metric-set.ts';
import { type ProcessMetric, processMetrics } from '../../src/metrics/process-definitions.ts';
import { parseExpression } from '../harness/promql.ts';

const deploy = join(import.meta.dirname, '../../deploy');
const text = (path: string) => readFileSync(join(deploy, path), 'utf8');

const targetSchema = z.object({ expr: z.string(), legendFormat: z.string(), refId: z.string() });
const panelSchema = z.object({
  id: z.int(),
  type: z.enum(['row', 'timeseries', 'stat']),
  title: z.string().min(1),
  gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
  datasource: z.object({ type: z.literal('prometheus'), uid: z.string().regex(/^\$\{datasource\}$/) }).optional(),
  targets: z.array(targetSchema).default([]),
});
const dashboard = z
  .object({
    schemaVersion: z.int().min(39),
    uid: z.literal('tiller'),
    templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string(), query: z.unknown() })) }),
    panels: z.array(panelSchema),
  })
  .parse(JSON.parse(text('grafana/tiller.json')));

const ruleSchema = z.union([
  z.object({ record: z.string(), expr: z.string() }),
  z.object({
    alert: z.string(),
    expr: z.string(),
    labels: z.object({ severity: z.enum(['critical', 'warning']) }),
    annotations: z.object({ summary: z.string(), description: z.string().optional() }),
  }),
]);
const rules = z
  .object({ groups: z.array(z.object({ name: z.string(), rules: z.array(ruleSchema) })) })
  .parse(parse(text('prometheus/rules.yaml')))
  .groups.flatMap((group) => group.rules);
const recorded = new Set(rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])));
const alerts = rules.flatMap((rule) => ('alert' in rule ? [rule] : []));

/** Labels that Prometheus adds to what it scrapes. */
const scraped = ['job', 'instance'];

/** What is wrong with an expression: metrics, labels and values that there are not. */
function mistakes(expression: string): string[] {
  const { selectors, groupings } = parseExpression(expression);
  const known = new Set(scraped);
  const wrong: string[] = [];
  for (const { metric, matchers } of selectors) {
    const found = lookUp(metric);
    if (!found) {
      wrong.push(`no metric ${metric}`);
      continue;
    }
    for (const label of found.labels) known.add(label);
    for (const { label, operator, value } of matchers) {
      if (scraped.includes(label)) continue;
      if (!found.labels.includes(label)) wrong.push(`${metric} has no label ${label}`);
      else if (operator === '=' && !found.takes(label, value)) wrong.push(`${metric} has no ${label} ${value}`);
    }
  }
  return [...wrong, ...groupings.filter((label) => !known.has(label)).map((label) => `nothing has the label ${label}`)];
}

interface Known {
  readonly labels: readonly string[];
  takes(label: string, value: string): boolean;
}

function lookUp(metric: string): Known | null {
  if (recorded.has(metric)) return { labels: ['job', 'model_name'], takes: () => true };
  const suffix = /_(bucket|sum|count)$/.exec(metric)?.[0] ?? '';
  const all: Readonly<Record<string, MetricDefinition | ProcessMetric>> = { ...definitions, ...processMetrics };
  const found = all[metric] ?? all[metric.slice(0, -suffix.length)];
  if (!found || (found.type === 'histogram') !== (suffix !== '' && !(metric in all))) return null;
  const labels = suffix === '_bucket' ? [...found.labels, 'le'] : found.labels;
  return {
    labels,
    takes: (label, value) => {
      if (label === 'le') return 'buckets' in found && (value === '+Inf' || found.buckets.map(String).includes(value));
      const meaning = Object.entries(labelMeanings).find(([name]) => name === label)?.[1];
      return !meaning || typeof meaning.values === 'string' || meaning.values.some((each) => each === value);
    },
  };
}

const plain = (expression: string) =>
  expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$(model_name|instance)\b/g, '.*');
const targets = dashboard.panels.flatMap(({ title, targets: list }) => list.map((target) => ({ title, ...target })));

describe('the check itself', () => {
  it.each([
    ['rate(vllm:nothing_total[5m])', 'no metric vllm:nothing_total'],
    ['tiller_step_rows', 'no metric tiller_step_rows'],
    ['tiller_slots_count', 'no metric tiller_slots_count'],
    ['tiller_slots{kind="decode"}', 'tiller_slots has no label kind'],
    ['sum(tiller_step_rows_sum{kind="both"})', 'tiller_step_rows_sum has no kind both'],
    [
      'rate(vllm:time_to_first_token_seconds_bucket{le="3"}[5m])',
      'vllm:time_to_first_token_seconds_bucket has no le 3',
    ],
    ['sum by (source) (tiller_slots)', 'nothing has the label source'],
  ])('finds what is wrong with %s', (expression, mistake) => {
    expect(mistakes(expression)).toEqual([mistake]);
  });

  it('refuses what does not parse', () => {
    expect(() => mistakes('sum by (le) rate(tiller_slots[5m)')).toThrow(/Not PromQL/);
  });
});

describe('the dashboard', () => {
  it.each(targets)('$title: $expr', ({ expr }) => {
    expect(mistakes(plain(expr))).toEqual([]);
  });

  it('names in its legends only labels that the series have', () => {
    for (const { title, expr, legendFormat } of targets) {
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        expect(parseExpression(plain(expr)).groupings, `${title}: ${legendFormat}`).toContain(label);
      }
    }
  });

  it('asks the data source that is chosen, for the models and instances that are', () => {
    const variables = dashboard.templating.list.map(({ name }) => name);
    expect(variables).toEqual(['datasource', 'model_name', 'instance']);
    for (const panel of dashboard.panels) if (panel.type !== 'row') expect(panel.datasource).toBeDefined();
    for (const { expr } of targets) {
      for (const { matchers } of parseExpression(plain(expr)).selectors) {
        expect(
          matchers.some(({ label }) => label === 'instance'),
          expr,
        ).toBe(true);
      }
    }
  });

  it('has no two panels of one number or in one place', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const a of panels) {
      expect(a.gridPos.x + a.gridPos.w).toBeLessThanOrEqual(24);
      const over = panels.filter(
        (b) =>
          b.id > a.id &&
          b.gridPos.x < a.gridPos.x + a.gridPos.w &&
          a.gridPos.x < b.gridPos.x + b.gridPos.w &&
          b.gridPos.y < a.gridPos.y + a.gridPos.h &&
          a.gridPos.y < b.gridPos.y + b.gridPos.h,
      );
      expect(over.map(({ title }) => title)).toEqual([]);
    }
  });

  it('shows every metric of its own', () => {
    const shown = new Set(targets.flatMap(({ expr }) => parseExpression(plain(expr)).selectors.map((s) => s.metric)));
    const missing = Object.keys(definitions).filter(
      (name) => ![name, `${name}_bucket`, `${name}_sum`, `${name}_count`].some((series) => shown.has(series)),
    );
    expect(missing).toEqual([
      // the sum of what is shown by reason
      'vllm:num_requests_waiting',
      'vllm:cache_config_info',
      // the sum of two that are shown
      'vllm:request_inference_time_seconds',
      'vllm:request_params_max_tokens',
      'vllm:request_params_n',
      'tiller_draining',
      'tiller_steered_requests_total',
    ]);
  });
});

describe('the alert rules', () => {
  it.each(rules.map((rule) => ({ name: 'alert' in rule ? rule.alert : rule.record, expr: rule.expr })))(
    '$name',
    ({ expr }) => {
      expect(mistakes(expr)).toEqual([]);
    },
  );

  it('each have a unit test in which they fire', () => {
    const tests = z
      .object({
        tests: z.array(
          z.object({
            alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })),
          }),
        ),
      })
      .parse(parse(text('prometheus/rules.test.yaml')));
    const cases = tests.tests.flatMap((test) => test.alert_rule_test);
    const names = alerts.map(({ alert }) => alert);
    expect(new Set(cases.map(({ alertname }) => alertname))).toEqual(new Set(names));
    for (const name of names) {
      expect(
        cases.some(({ alertname, exp_alerts }) => alertname === name && exp_alerts.length > 0),
        name,
      ).toBe(true);
    }
  });
});
