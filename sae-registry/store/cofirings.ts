import type { FeatureCofirings } from '../cofiring/closest-in-sample.ts';
import { type Store, writeStore } from './open-store.ts';

/** What a run found out about which features of a source fire together. */
export interface CofiringOrigin {
  /** Key of the source. */
  readonly source: number;
  readonly version: string;
  /** In the sample that was counted. */
  readonly tokens: number;
}

export interface StoredCofirings extends Pick<FeatureCofirings, 'fired' | 'others'> {
  readonly version: string;
  readonly tokens: number;
}

/** Numbers of each other feature in a row. */
const numbers = 3;

/** Writes down what fires together, in place of everything that was there of the source: one transaction. */
export function writeCofirings(
  store: Store,
  { source, version, tokens }: CofiringOrigin,
  features: Iterable<FeatureCofirings>,
): void {
  const insert = store.connection.prepare(
    'insert into cofirings (source, feature, version, tokens, fired, others) values (?, ?, ?, ?, ?, ?)',
  );
  writeStore(store, () => {
    store.connection.prepare('delete from cofirings where source = ?').run(source);
    for (const { feature, fired, others } of features) {
      insert.run(source, feature, version, tokens, fired, toBlob(others));
    }
  });
}

/**
 * What fires together with a feature; null where none of its source was collected. A feature that fired on no token of the sample has
 * no others.
 */
export function cofiringsOf({ connection }: Store, source: number, feature: number): StoredCofirings | null {
  const row = connection
    .prepare<unknown[], { version: string; tokens: number; fired: number; others: Buffer }>(
      'select version, tokens, fired, others from cofirings where source = ? and feature = ?',
    )
    .get(source, feature);
  if (row) return { ...row, others: fromBlob(row.others) };
  const any = connection
    .prepare<unknown[], { version: string; tokens: number }>(
      'select version, tokens from cofirings where source = ? limit 1',
    )
    .get(source);
  return any ? { ...any, fired: 0, others: [] } : null;
}

function toBlob(others: FeatureCofirings['others']): Buffer {
  const blob = Buffer.alloc(others.length * numbers * 4);
  for (const [at, { index, together, fired }] of others.entries()) {
    for (const [i, value] of [index, together, fired].entries()) blob.writeUInt32LE(value, (at * numbers + i) * 4);
  }
  return blob;
}

function fromBlob(blob: Buffer): FeatureCofirings['others'] {
  return Array.from({ length: blob.length / (numbers * 4) }, (_, at) => {
    const number = (i: number) => blob.readUInt32LE((at * numbers + i) * 4);
    return { index: number(0), together: number(1), fired: number(2) };
  });
}
