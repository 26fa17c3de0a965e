import type { LabelName } from './labels.ts';

/** What a metric is: the registry, docs/metrics.md and the tests are all made from this. */
export type MetricDefinition =
  | (Common & { readonly type: 'counter' | 'gauge' })
  | (Common & { readonly type: 'histogram'; readonly buckets: readonly number[] });

interface Common {
  /** What it counts, and of whom; one or two sentences. */
  readonly help: string;
  /** seconds, bytes, tokens, requests …; `ratio` for a share or a quotient. */
  readonly unit: string;
  readonly labels: readonly LabelName[];
}

/** Metrics by name. Counters end in `_total`. */
export type Definitions = Readonly<Record<string, MetricDefinition>>;

/** Names of the metrics of one type. */
export type NamesOf<Table extends Definitions, Type extends MetricDefinition['type']> = {
  [Name in keyof Table]: Table[Name]['type'] extends Type ? Name : never;
}[keyof Table] &
  string;
