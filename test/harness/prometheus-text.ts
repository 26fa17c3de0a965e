import parsePrometheusTextFormat from 'parse-prometheus-text-format';
import { z } from 'zod';

/** One line of /metrics: one series and its value now. */
export interface Sample {
  /** With `_bucket`, `_sum` or `_count` for those of a histogram. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly samples: readonly Sample[];
  /** Family name → type, in lower case. */
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
  /** Value of the one series with this name and exactly these labels; null where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | null;
  /** All series of a name that have these labels among theirs, added up. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
}

const families = z.array(
  z.object({
    name: z.string(),
    help: z.string(),
    type: z.string(),
    metrics: z.array(z.object({ value: z.string(), labels: z.record(z.string(), z.string()).optional() })),
  }),
);

/**
 * Parses an exposition with the parser of prom2json's shape, which is a port of the Python client's. That parser merges the
 * label sets of a histogram and passes over lines that it cannot read: types are read apart, so that every series stays by
 * itself, and it must give as many samples as there are lines. Throws what Prometheus would reject: a series twice, a
 * metadata line twice, samples without a type, buckets that fall, a `+Inf` that is not the count.
 */
export function parsePrometheusText(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('The exposition does not end with a line feed.');
  const lines = text.split('\n').filter((line) => line !== '');
  const types = metadata(lines, 'TYPE');
  const help = metadata(lines, 'HELP');
  const plain = lines.filter((line) => !line.startsWith('#'));
  const samples = families
    .parse(parsePrometheusTextFormat(`${plain.join('\n')}\n`))
    .flatMap(({ name, metrics }) =>
      metrics.map(({ value, labels = {} }) => ({ name, labels, value: toNumber(value) })),
    );
  if (samples.length !== plain.length) throw new Error(`${plain.length} lines gave ${samples.length} samples.`);
  const bySeries = new Map(samples.map((sample) => [seriesOf(sample), sample.value]));
  if (bySeries.size !== samples.length) throw new Error('A series stands twice.');
  for (const { name } of samples) if (!familyOf(name, types)) throw new Error(`${name} has no type.`);
  for (const sample of samples) checkBucket(sample, samples, bySeries);
  return {
    samples,
    types,
    help,
    value: (name, labels = {}) => bySeries.get(seriesOf({ name, labels })) ?? null,
    sum: (name, labels = {}) =>
      samples
        .filter((sample) => sample.name === name && Object.entries(labels).every(([k, v]) => sample.labels[k] === v))
        .reduce((total, { value }) => total + value, 0),
  };
}

/** The family that a sample belongs to: its name, or without its suffix if that is a histogram. */
export function familyOf(name: string, types: ReadonlyMap<string, string>): string | null {
  if (types.has(name)) return name;
  const family = name.replace(/_(bucket|sum|count)$/, '');
  return types.get(family) === 'histogram' ? family : null;
}

function metadata(lines: readonly string[], keyword: 'TYPE' | 'HELP'): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of lines) {
    const [, word, name, rest] = /^# (TYPE|HELP) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (word !== keyword || name === undefined || rest === undefined) continue;
    if (found.has(name)) throw new Error(`Two ${keyword} lines for ${name}.`);
    found.set(name, rest);
  }
  return found;
}

function checkBucket(sample: Sample, samples: readonly Sample[], bySeries: ReadonlyMap<string, number>): void {
  const { le, ...labels } = sample.labels;
  if (le !== '+Inf' || !sample.name.endsWith('_bucket')) return;
  const family = sample.name.slice(0, -'_bucket'.length);
  if (bySeries.get(seriesOf({ name: `${family}_count`, labels })) !== sample.value) {
    throw new Error(`The last bucket of ${family} is not its count.`);
  }
  const own = (other: Sample) => seriesOf({ name: '', labels: { ...other.labels, le: '' } });
  const buckets = samples
    .filter((other) => other.name === sample.name && own(other) === own(sample))
    .toSorted((a, b) => toNumber(a.labels.le ?? '') - toNumber(b.labels.le ?? ''));
  if (buckets.some(({ value }, at) => value < (buckets[at - 1]?.value ?? 0))) {
    throw new Error(`The buckets of ${family} fall.`);
  }
}

function seriesOf({ name, labels }: Pick<Sample, 'name' | 'labels'>): string {
  return JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function toNumber(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  // prom-client writes 'Nan', which Go's ParseFloat, and so Prometheus, takes
  if (text === '' || (Number.isNaN(value) && text.toLowerCase() !== 'nan')) throw new Error(`'${text}' is no number.`);
  return value;
}
