import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Definitions, MetricDefinition, NamesOf } from './definition.ts';
import { labelMeanings } from './labels.ts';
import { tillerDefinitions } from './tiller-definitions.ts';
import { vllmDefinitions } from './vllm-definitions.ts';

/** Every metric that Tiller itself keeps; those of the process come from prom-client. */
export const definitions = { ...vllmDefinitions, ...tillerDefinitions } as const;
type Table = typeof definitions;

export type CounterName = NamesOf<Table, 'counter'>;
export type GaugeName = NamesOf<Table, 'gauge'>;
export type HistogramName = NamesOf<Table, 'histogram'>;
export type Labels = Readonly<Record<string, string>>;

/**
 * All metrics of `definitions` on one registry. Series whose labels are the model and fixed lists begin at 0 as soon as a
 * model is there, so that the first event is a rise that `rate` and alert rules see.
 */
export class MetricSet {
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #begun = new Set<string>();

  constructor(registry: Registry) {
    for (const [name, definition] of Object.entries(definitions as Definitions)) {
      const { help, labels } = definition;
      const common = { name, help, labelNames: [...labels], registers: [registry] };
      if (definition.type === 'histogram') {
        this.#histograms.set(name, new Histogram({ ...common, buckets: [...definition.buckets] }));
      } else if (definition.type === 'counter') this.#counters.set(name, new Counter(common));
      else this.#gauges.set(name, new Gauge(common));
    }
  }

  increase(name: CounterName, labels: Labels, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  /** For a counter that is kept elsewhere: it shows that count from now on. */
  count(name: CounterName, labels: Labels, total: number): void {
    const counter = this.#counters.get(name);
    counter?.remove(labels);
    counter?.inc(labels, total);
  }

  set(name: GaugeName, labels: Labels, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  /** Takes away the series of gauges that belong to a model that is no longer there. */
  clearGauges(): void {
    for (const gauge of this.#gauges.values()) gauge.reset();
  }

  observe(name: HistogramName, labels: Labels, value: number): void {
    this.#histograms.get(name)?.observe(labels, value);
  }

  /** From now on this model is served: its series begin at 0, so it comes before their first observation. */
  begin(modelName: string): void {
    if (this.#begun.has(modelName)) return;
    this.#begun.add(modelName);
    for (const [name, definition] of Object.entries(definitions as Definitions)) {
      for (const labels of knownLabels(definition, modelName)) {
        this.#counters.get(name)?.inc(labels, 0);
        this.#histograms.get(name)?.zero(labels);
      }
    }
  }
}

/** Every combination of a model's labels, where all of them have fixed values; none for what is not a model's. */
function knownLabels({ labels }: MetricDefinition, modelName: string): Labels[] {
  if (!labels.includes('model_name')) return [];
  let known: Labels[] = [{}];
  for (const label of labels) {
    const { values } = labelMeanings[label];
    const fixed = label === 'model_name' ? [modelName] : values;
    if (typeof fixed === 'string') return [];
    known = known.flatMap((some) => fixed.map((value) => ({ ...some, [label]: value })));
  }
  return known;
}
