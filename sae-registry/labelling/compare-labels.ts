import { TillerError } from '../../engine/core/index.ts';
import type { KnownSource, Store } from '../store/index.ts';
import { type ComparedLabel, labelSimilarity, type SimilarityMeasure } from './label-similarity.ts';
import { seededRandom } from './seeded-random.ts';
import type { LabelFilter } from './written-scores.ts';

export interface LabelPair {
  readonly feature: number;
  readonly first: string;
  readonly second: string;
  readonly similarity: number;
}

/** How far two sets of labels say the same of the same features. */
export interface LabelAgreement {
  readonly measure: SimilarityMeasure;
  /** Features that both label. */
  readonly features: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly mean: number;
  readonly median: number;
  /** Mean similarity to the other set's label of another feature: what agreeing on nothing gives. Null of a single feature. */
  readonly chance: number | null;
  /** The features that they agree on least, the least first; of several labels the pair that is most alike. */
  readonly least: readonly LabelPair[];
}

/**
 * Compares two sets of labels of one source: by meaning where every label has an embedding (a running server makes them), else by words.
 * Throws `invalid_request` where a set has no label, or no feature has labels in both.
 */
export function compareLabels(
  store: Store,
  source: KnownSource,
  sets: { readonly first: LabelFilter; readonly second: LabelFilter; readonly least: number },
): LabelAgreement {
  const first = labelSet(store, source, sets.first, 'first');
  const second = labelSet(store, source, sets.second, 'second');
  const both = [...first.keys()].filter((feature) => second.has(feature));
  if (both.length === 0) {
    const message = `No feature has labels in both sets: the first labels ${first.size} features, the second ${second.size} others.`;
    throw new TillerError('invalid_request', message);
  }
  const measure = measureOf(both.flatMap((feature) => [...(first.get(feature) ?? []), ...(second.get(feature) ?? [])]));
  const pair = (one: number, other: number): LabelPair => {
    const pairs = (first.get(one) ?? []).flatMap((a) =>
      (second.get(other) ?? []).map((b) => ({
        ...{ feature: one, first: a.text, second: b.text, similarity: labelSimilarity(a, b, measure) },
      })),
    );
    return pairs.reduce((best, candidate) => (candidate.similarity > best.similarity ? candidate : best));
  };
  const pairs = both.map((feature) => pair(feature, feature)).toSorted((a, b) => a.similarity - b.similarity);
  // Each with the next in a random ring: never with itself.
  const ring = seededRandom(both.length).shuffled(both);
  const strangers = ring.map((feature, i) => pair(feature, ring[(i + 1) % ring.length] as number));
  return {
    ...{ measure, features: both.length, onlyFirst: first.size - both.length, onlySecond: second.size - both.length },
    mean: meanOf(pairs),
    median: medianOf(pairs),
    chance: both.length === 1 ? null : meanOf(strangers),
    least: pairs.slice(0, sets.least),
  };
}

type LabelSet = ReadonlyMap<number, readonly ComparedLabel[]>;

function labelSet({ connection }: Store, source: KnownSource, filter: LabelFilter, param: string): LabelSet {
  const rows = connection
    .prepare<unknown[], { feature: number; text: string; embedding: Buffer | null }>(
      `select l.feature, l.text, e.embedding from labels l left join label_embeddings e on e.label = l.id
       where l.source = @source and (@method is null or l.method = @method) and (@author is null or l.author = @author)
       order by l.feature, l.id`,
    )
    .all({ source: source.key, ...filter });
  if (rows.length === 0) throw emptySet(connection, source, filter, param);
  const labels = new Map<number, ComparedLabel[]>();
  for (const { feature, text, embedding } of rows) {
    const bytes = embedding && new Int8Array(embedding.buffer, embedding.byteOffset, embedding.length);
    labels.set(feature, [...(labels.get(feature) ?? []), { text, embedding: bytes }]);
  }
  return labels;
}

function emptySet(
  connection: Store['connection'],
  source: KnownSource,
  filter: LabelFilter,
  param: string,
): TillerError {
  const sets = connection
    .prepare<unknown[], { method: string; author: string; count: number }>(
      'select method, author, count(*) as count from labels where source = ? group by 1, 2 order by 3 desc limit 10',
    )
    .all(source.key)
    .map(({ method, author, count }) => `${count} of method ${method} by ${author}`);
  const asked = [filter.method && `method ${filter.method}`, filter.author && `author ${filter.author}`].filter(
    Boolean,
  );
  const message = `The ${param} set (${asked.join(', ') || 'all'}) has no labels. There are: ${sets.join('; ') || 'none'}.`;
  return new TillerError('invalid_request', message, { param });
}

/** Embeddings of another width are of another embedder, and not to be compared. */
function measureOf(labels: readonly ComparedLabel[]): SimilarityMeasure {
  const widths = new Set(labels.map(({ embedding }) => embedding?.length));
  return widths.size === 1 && !widths.has(undefined) ? 'meaning' : 'words';
}

function meanOf(pairs: readonly LabelPair[]): number {
  return pairs.reduce((sum, { similarity }) => sum + similarity, 0) / pairs.length;
}

/** Of pairs in order. */
function medianOf(pairs: readonly LabelPair[]): number {
  const [low, high] = [pairs[(pairs.length - 1) >> 1], pairs[pairs.length >> 1]] as [LabelPair, LabelPair];
  return (low.similarity + high.similarity) / 2;
}
