import type { Store } from './open-store.ts';
import { writeStore } from './open-store.ts';

/** Figures of one feature on a text. Activations in the dictionary's own units. */
export interface FeatureFigures {
  readonly feature: number;
  /** Share of tokens on which it is active. */
  readonly density: number;
  readonly max: number;
  /** 99.9th percentile of its non-zero activations: the unit `max_activation`. */
  readonly p999: number;
  /** Of non-zero activations. */
  readonly mean: number;
  /** Counts of non-zero activations in equal bins from 0 to max. */
  readonly histogram: readonly number[];
  /** Tokens that it makes likelier, the most first; not given: those that are known stay. */
  readonly topLogits?: readonly string[];
  readonly bottomLogits?: readonly string[];
  /** On which it fires most often; not given: those that are known stay. */
  readonly topTokens?: readonly string[];
}

export interface StoredStatistics extends Required<FeatureFigures> {
  /** Of the run or the file that they are from. */
  readonly version: string;
  readonly artifact: number | null;
}

/** What a run or a file found out about a source. */
export interface StatisticsOrigin {
  /** Key of the source. */
  readonly source: number;
  /** Says which figures these are: others, another version. */
  readonly version: string;
  readonly artifact: number | null;
}

/** Writes figures down in place of those that were there of the same features: one transaction. */
export function writeStatistics(
  store: Store,
  { source, version, artifact }: StatisticsOrigin,
  figures: Iterable<FeatureFigures>,
): void {
  const insert = store.connection.prepare(`
    insert into statistics (source, feature, version, density, max, p999, mean, histogram, top_logits, bottom_logits, top_tokens, artifact)
    values (@source, @feature, @version, @density, @max, @p999, @mean, @histogram,
      coalesce(@top, '[]'), coalesce(@bottom, '[]'), coalesce(@tokens, '[]'), @artifact)
    on conflict do update set version = excluded.version, density = excluded.density, max = excluded.max, p999 = excluded.p999,
      mean = excluded.mean, histogram = excluded.histogram, artifact = excluded.artifact,
      top_logits = coalesce(@top, top_logits), bottom_logits = coalesce(@bottom, bottom_logits),
      top_tokens = coalesce(@tokens, top_tokens)`);
  writeStore(store, () => {
    for (const { feature, density, max, p999, mean, histogram, topLogits, bottomLogits, topTokens } of figures) {
      const lists = { top: json(topLogits), bottom: json(bottomLogits), tokens: json(topTokens) };
      const numbers = { density, max, p999, mean, histogram: json(histogram) };
      insert.run({ source, feature, version, artifact, ...numbers, ...lists });
    }
  });
}

/** Figures of one feature; null where there are none. */
export function statisticsOf({ connection }: Store, source: number, feature: number): StoredStatistics | null {
  const row = connection
    .prepare<unknown[], StatisticsRow>('select * from statistics where source = ? and feature = ?')
    .get(source, feature);
  if (!row) return null;
  const { density, max, p999, mean, version, artifact } = row;
  const lists = { topLogits: row.top_logits, bottomLogits: row.bottom_logits, topTokens: row.top_tokens };
  const parsed = Object.fromEntries(Object.entries(lists).map(([name, text]) => [name, JSON.parse(text)]));
  return {
    ...{ feature, density, max, p999, mean, version, artifact },
    histogram: JSON.parse(row.histogram) as number[],
    ...(parsed as Record<keyof typeof lists, string[]>),
  };
}

/** The p999 of every feature of a source, NaN where there is none, and the versions that they are of. */
export function maxActivations(
  { connection }: Store,
  source: number,
  features: number,
): { readonly values: Float64Array; readonly versions: readonly string[] } {
  const values = new Float64Array(features).fill(Number.NaN);
  const versions = new Set<string>();
  const rows = connection
    .prepare<unknown[], [number, string, number]>('select feature, version, p999 from statistics where source = ?')
    .raw()
    .iterate(source);
  for (const [feature, version, p999] of rows) {
    values[feature] = p999;
    versions.add(version);
  }
  return { values, versions: [...versions].sort() };
}

interface StatisticsRow {
  readonly density: number;
  readonly max: number;
  readonly p999: number;
  readonly mean: number;
  readonly version: string;
  readonly artifact: number | null;
  readonly histogram: string;
  readonly top_logits: string;
  readonly bottom_logits: string;
  readonly top_tokens: string;
}

function json(list: readonly unknown[] | undefined): string | null {
  return list === undefined ? null : JSON.stringify(list);
}
