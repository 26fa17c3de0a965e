import type { Statement } from 'better-sqlite3';
import { fromBlob, toBlob } from './float32-blob.ts';
import { type Store, writeStore } from './open-store.ts';

/** A passage on which a feature fires. */
export interface FeatureExample {
  readonly tokens: readonly string[];
  /** Activation on each token; null where only the peak is known. */
  readonly values: Float32Array | null;
  /** The strongest of them. */
  readonly peak: number;
}

/** Examples that one statement writes: each call costs as much as two rows. */
const rowsPerInsert = 8;

/** Writes the examples of features down, strongest first, in place of all that were there of the same features: one transaction. */
export function writeExamples(
  store: Store,
  { source, artifact }: { readonly source: number; readonly artifact: number | null },
  features: Iterable<readonly [feature: number, examples: readonly FeatureExample[]]>,
): void {
  const { connection } = store;
  const forget = connection.prepare('delete from examples where source = ? and feature = ?');
  const inserts = new Map<number, Statement<unknown[]>>();
  const insert = (values: readonly unknown[]) => {
    const rows = values.length / columns;
    const statement = inserts.get(rows) ?? connection.prepare(insertOf(rows));
    inserts.set(rows, statement);
    statement.run(...values);
  };
  writeStore(store, () => {
    // Features mostly come in order: of one beyond the last there is nothing to forget.
    let last = connection.prepare<[number], number>(lastFeature).pluck().get(source) ?? -1;
    for (const [feature, examples] of features) {
      if (feature <= last) forget.run(source, feature);
      const sorted = isSorted(examples) ? examples : examples.toSorted((a, b) => b.peak - a.peak);
      if (sorted.length > 0) last = Math.max(last, feature);
      for (let first = 0; first < sorted.length; first += rowsPerInsert) {
        const values: unknown[] = [];
        for (const [at, { tokens, values: activations, peak }] of sorted
          .slice(first, first + rowsPerInsert)
          .entries()) {
          const blob = activations && toBlob(activations);
          values.push(source, feature, first + at, JSON.stringify(tokens), blob, peak, artifact);
        }
        insert(values);
      }
    }
  });
}

const columns = 7;
const lastFeature = 'select max(feature) from examples where source = ?';

function insertOf(rows: number): string {
  const row = `(${Array(columns).fill('?').join(', ')})`;
  return `insert into examples (source, feature, rank, tokens, activations, peak, artifact) values ${Array(rows).fill(row).join(', ')}`;
}

/** Examples of one feature, strongest first. */
export function examplesOf({ connection }: Store, source: number, feature: number): FeatureExample[] {
  return connection
    .prepare<unknown[], { tokens: string; activations: Buffer | null; peak: number }>(
      'select tokens, activations, peak from examples where source = ? and feature = ? order by rank',
    )
    .all(source, feature)
    .map(({ tokens, activations, peak }) => ({
      tokens: JSON.parse(tokens) as string[],
      values: activations && fromBlob(activations),
      peak,
    }));
}

function isSorted(examples: readonly FeatureExample[]): boolean {
  return examples.every(({ peak }, i) => i === 0 || peak <= (examples[i - 1] as FeatureExample).peak);
}
