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

/** Writes the examples of features down, strongest first, in place of all that were there of the same features: one transaction. */
export function writeExamples(
  store: Store,
  { source, artifact }: { readonly source: number; readonly artifact: number | null },
  features: Iterable<readonly [feature: number, examples: readonly FeatureExample[]]>,
): void {
  const forget = store.connection.prepare('delete from examples where source = ? and feature = ?');
  const insert = store.connection.prepare(
    'insert into examples (source, feature, rank, tokens, activations, peak, artifact) values (?, ?, ?, ?, ?, ?, ?)',
  );
  writeStore(store, () => {
    for (const [feature, examples] of features) {
      forget.run(source, feature);
      const sorted = isSorted(examples) ? examples : examples.toSorted((a, b) => b.peak - a.peak);
      for (const [rank, { tokens, values, peak }] of sorted.entries()) {
        insert.run(source, feature, rank, JSON.stringify(tokens), values && toBlob(values), peak, artifact);
      }
    }
  });
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
