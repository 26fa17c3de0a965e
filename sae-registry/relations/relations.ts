import { TillerError } from '../../engine/core/index.ts';
import { featureSummary } from '../feature-detail.ts';
import type { FeatureSummary } from '../feature-shapes.ts';
import { type Comparison, compareDictionaries } from '../matching/compare.ts';
import { compareActivations, type SourceReadings } from '../matching/compare-activations.ts';
import type { Registry } from '../registry.ts';
import type { Source } from '../source.ts';
import { decoderDirections, encoderDirections } from './feature-directions.ts';
import { type LogitLens, logitLens, type UnembeddingReader } from './logit-lens.ts';
import { nearestVectors } from './neighbours.ts';
import type { Pace } from './pace.ts';
import { findRelated, type RelatedFeature } from './related-feature.ts';
import { streamDepth } from './stream-depth.ts';
import { virtualWeights } from './virtual-weights.ts';

export interface Neighbours {
  readonly feature: FeatureSummary;
  readonly neighbours: readonly RelatedFeature[];
  /** Ids of the sources that were looked through, every feature of them. */
  readonly sources: readonly string[];
  readonly compared: number;
}

export interface FeatureWeights {
  readonly source: string;
  readonly hookPoint: string;
  readonly raised: readonly RelatedFeature[];
  readonly lowered: readonly RelatedFeature[];
}

export interface RelationsOptions {
  readonly registry: Registry;
  /** Of the model, opened when it is first asked for. */
  readonly unembedding: () => Promise<UnembeddingReader>;
  readonly pace: Pace | null;
}

/** What features of a model's sources have to do with each other and with the logits: exact, from the matrices alone. */
export interface Relations {
  /**
   * The nearest features by the cosine of `by`'s vectors, of sources that write (read) vectors of the same width. Throws
   * `feature_not_found`, `source_not_found`, `invalid_request` for a source of another width.
   */
  neighbours(query: {
    readonly feature: string;
    readonly by: 'decoder' | 'encoder';
    /** Names or ids; null: every source of that width. */
    readonly sources: readonly string[] | null;
    readonly limit: number;
  }): Promise<Neighbours>;
  /** What the feature adds to the logits. Throws `edit_not_applicable` where it does not write to the stream. */
  logits(
    feature: string,
    limit: number,
    only?: readonly number[],
  ): Promise<LogitLens & { readonly feature: FeatureSummary }>;
  /** What a unit of the feature adds to what later features read. Throws like `logits`, `invalid_request` for a source that is earlier. */
  weights(query: {
    readonly feature: string;
    /** Names or ids of the sources that read; null: all that do so later in the stream. */
    readonly sources: readonly string[] | null;
    readonly limit: number;
  }): Promise<{
    readonly feature: FeatureSummary;
    readonly hookPoint: string;
    readonly readers: readonly FeatureWeights[];
  }>;
  /** Pairs the features of two sources: by their decoder vectors, or by their activations where `read` reads texts in both. */
  compare(a: string, b: string, read?: (sources: readonly string[]) => SourceReadings): Promise<Comparison>;
}

export function createRelations({ registry, unembedding, pace }: RelationsOptions): Relations {
  const { sources, store } = registry;
  const { locate, find, related } = findRelated(registry);
  const written = (feature: string) => {
    const { source, index } = locate(feature);
    const depth = streamDepth(source.hookPoint);
    const { dictionary } = source;
    if (depth === null || !dictionary.writesByRow) {
      const why = depth === null ? `at ${source.hookPoint}, not to the stream` : 'something else for every token';
      throw new TillerError(
        'edit_not_applicable',
        `${source.id} writes ${why}, so its features have no such weights.`,
        {
          param: 'feature',
        },
      );
    }
    return {
      source,
      index,
      depth,
      direction: dictionary.feature(index).decoder,
      summary: featureSummary(store, source, index),
    };
  };
  return {
    async neighbours({ feature, by, sources: names, limit }) {
      const { source, index } = locate(feature);
      const vectorsOf = ({ dictionary }: Source) =>
        by === 'decoder' ? decoderDirections(dictionary) : encoderDirections(dictionary);
      const direction = source.dictionary.feature(index)[by];
      const named = names?.map((name, i) => find(name, `sources[${i}]`));
      const other = named?.find((candidate) => vectorsOf(candidate).width !== direction.length);
      if (other) throw otherWidth(other, vectorsOf(other).width, source, direction.length);
      const searched = named ?? sources.filter((candidate) => vectorsOf(candidate).width === direction.length);
      const found: RelatedFeature[] = [];
      for (const candidate of new Set(searched)) {
        const except = candidate === source ? index : null;
        const nearby = await nearestVectors(direction, vectorsOf(candidate), { limit, except, pace });
        found.push(...nearby.map((item) => related(candidate, item)));
      }
      return {
        feature: featureSummary(store, source, index),
        neighbours: found.sort((a, b) => b.value - a.value).slice(0, limit),
        sources: [...new Set(searched)].map(({ id }) => id),
        compared: [...new Set(searched)].reduce((sum, { dictionary }) => sum + dictionary.features, 0),
      };
    },
    async logits(feature, limit, only) {
      const { direction, summary } = written(feature);
      const reader = await unembedding();
      if (reader.width !== direction.length) throw new TillerError('internal', `an unembedding ${reader.width} wide`);
      const [lens] = await logitLens([direction], reader, { limit, pace, only });
      if (!lens) throw new TillerError('internal', 'no lens of one direction');
      return { ...lens, feature: summary };
    },
    async weights({ feature, sources: names, limit }) {
      const { source, depth, direction, summary } = written(feature);
      const named = names?.map((name, i) => find(name, `sources[${i}]`));
      for (const [i, reader] of (named ?? []).entries()) refuseEarlier(reader, source, depth.depth, `sources[${i}]`);
      const readers: FeatureWeights[] = [];
      for (const reader of named ?? sources.filter((candidate) => readsLater(candidate, depth.depth))) {
        const { raised, lowered } = await virtualWeights(direction, reader.dictionary, { limit, pace });
        readers.push({
          source: reader.id,
          hookPoint: readingPlace(reader),
          raised: raised.map((item) => related(reader, item)),
          lowered: lowered.map((item) => related(reader, item)),
        });
      }
      return { feature: summary, hookPoint: source.hookPoint, readers };
    },
    compare(a, b, read) {
      const [one, other] = [find(a, 'a'), find(b, 'b')];
      if (!read) return compareDictionaries(one.dictionary, other.dictionary, { pace });
      const ids = [...new Set([one.id, other.id])];
      return compareActivations(one.dictionary, other.dictionary, read(ids), { pace });
    },
  };
}

function readingPlace({ dictionary, hookPoint }: Source): string {
  return dictionary.kind === 'transcoder' ? (dictionary.hookPoint ?? hookPoint) : hookPoint;
}

function readsLater(reader: Source, depth: number): boolean {
  const place = streamDepth(readingPlace(reader));
  return place?.read === true && place.depth > depth;
}

function refuseEarlier(reader: Source, writer: Source, depth: number, param: string): void {
  const place = streamDepth(readingPlace(reader));
  if (place?.read && place.depth >= depth) return;
  const why = place?.read
    ? `reads at ${readingPlace(reader)}, before ${writer.id} writes at ${writer.hookPoint}`
    : `reads ${readingPlace(reader)}, which is not the stream itself`;
  throw new TillerError('invalid_request', `${reader.id} ${why}.`, { param });
}

function otherWidth(other: Source, width: number, source: Source, its: number): TillerError {
  const message = `${other.id} has vectors of ${width} numbers, ${source.id} of ${its}: they have no cosines.`;
  return new TillerError('invalid_request', message, { param: 'sources' });
}
