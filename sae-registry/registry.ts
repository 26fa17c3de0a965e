import { join } from 'node:path';
import { type EditTarget, type Encoder, TillerError } from '../engine/core/index.ts';
import { bundledFolder, sourcePath } from './bundled.ts';
import { encoderOf } from './encoder.ts';
import { featureDetail, featureSummary } from './feature-detail.ts';
import { FeatureNames } from './feature-names.ts';
import type { FeatureDetail, FeatureSummary } from './feature-shapes.ts';
import type { ModelFacts } from './model-facts.ts';
import type { ResidentMatrices } from './resident-matrices.ts';
import { openSource, readsWhatItWrites, type Source } from './source.ts';
import { openStore, type Store } from './store/index.ts';
import { canonicalName, readStreamNorms, type StreamNorms } from './stream-norms.ts';

export interface RegistryOptions {
  readonly model: ModelFacts;
  /** Ids of bundled sources, or paths of folders or files; a `name` goes before what their card or folder says. */
  readonly sources: readonly (string | NamedPath)[];
  /** Path of the model's stream norms; by default the bundled file, if there is one. */
  readonly streamNorms?: string;
  /** What the matrices of all sources may take in memory together; without it there is no such limit. */
  readonly resident?: ResidentMatrices;
  /** Where what is known of the sources is kept; by default in memory, until the registry is closed. */
  readonly store?: Store;
}

export interface NamedPath {
  readonly path: string;
  readonly name: string;
}

export interface StreamNorm {
  readonly norm: number;
  readonly version: string;
  /** What the figure belongs to: the hook point, or the id of the source whose card it is from. */
  readonly from: string;
}

/** The sources of one model: what the HTTP layer's FeatureService needs, and ids turned into directions. */
export interface Registry {
  readonly sources: readonly Source[];
  /** What is kept of them between runs; each source's `key` is its row. */
  readonly store: Store;
  /** The loaded source that a feature's id belongs to. Throws like `target`. */
  sourceOf(featureId: string, param?: string): Source;
  /** A source by its name or id; every one where null. Throws `model_not_found`, `source_not_found`. */
  sourcesNamed(names: readonly string[] | null, param?: string): readonly Source[];
  /** The source's dictionary for the engine to read. Throws `source_invalid` where its files do not say what it reads. */
  encoder(source: Source): Encoder;
  /** What the sources of a text tell of their features. */
  summary(source: Source, index: number): FeatureSummary;
  /** Median stream norm at a hook point, from the model's stream norms, else from the card of a source there. */
  streamNorm(hookPoint: string): StreamNorm | null;
  /** Throws `model_not_found`, `source_not_found`, `feature_not_found`, with `param` and the nearest names. */
  target(featureId: string, param: string): EditTarget;
  /** A dense direction as a target; `id` is its name, or `inline`. */
  vectorTarget(id: string, hookPoint: string, direction: Float32Array): EditTarget;
  get(model: string, source: string, index: string): FeatureDetail;
}

/**
 * Opens every source for the model and writes it down in the store. Throws `source_not_found`, `source_invalid`,
 * `source_unsupported`.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { model } = options;
  const store = options.store ?? (await openStore(null));
  const sources: Source[] = [];
  try {
    for (const source of options.sources) {
      const { path, name } = typeof source === 'string' ? { path: source, name: undefined } : source;
      sources.push(
        await openSource(sourcePath(path), { model, store, opened: sources, name, resident: options.resident }),
      );
    }
    const file = options.streamNorms ?? join(bundledFolder(), model.id, 'stream-norms.json');
    return createRegistry(model, sources, await readStreamNorms(file, model), store);
  } catch (error) {
    if (options.store === undefined) store.close();
    throw error;
  }
}

function createRegistry(
  model: ModelFacts,
  sources: readonly Source[],
  norms: StreamNorms | null,
  store: Store,
): Registry {
  const names = new FeatureNames(model.id, sources);
  const streamNorm = (hookPoint: string) => findStreamNorm(hookPoint, model, sources, norms);
  return {
    sources,
    store,
    sourceOf: (featureId, param) => names.feature(featureId, param).source,
    sourcesNamed: (wanted, param) => (wanted === null ? sources : wanted.map((name) => names.named(name, param))),
    encoder: (source) => encoderOf(source, model),
    summary: (source, index) => featureSummary(store, source, index),
    streamNorm,
    target(featureId, param) {
      const { source, index } = names.feature(featureId, param);
      const { dictionary } = source;
      if (!dictionary.writesByRow) throw notWritten(source, param);
      const { encoder, bias, threshold, decoder } = dictionary.feature(index);
      return {
        kind: 'feature',
        id: `${source.id}/${index}`,
        hookPoint: source.hookPoint,
        encoder: readsWhatItWrites(source) ? { direction: encoder, bias, threshold } : null,
        decoder,
        maxActivation: source.statistics?.maxActivation(index) ?? null,
        sinkNorm: source.card?.sink_norm ?? null,
        streamNorm: streamNorm(source.hookPoint)?.norm ?? null,
      };
    },
    vectorTarget: (id, hookPoint, direction) => ({
      kind: 'vector',
      id,
      hookPoint,
      direction,
      streamNorm: streamNorm(hookPoint)?.norm ?? null,
    }),
    get(modelName, sourceName, index) {
      names.checkModel(modelName, 'model');
      const source = names.source(sourceName, 'source');
      return featureDetail(store, source, names.index(source, index, 'index'));
    },
  };
}

/** A dictionary that undoes each token's normalisation: one activation adds something else to every token. */
function notWritten({ id }: Source, param: string): TillerError {
  return new TillerError(
    'edit_not_applicable',
    `${id} normalises each token's input, so a unit of activation is no fixed direction. Steer with its decoder vector instead.`,
    { param },
  );
}

function findStreamNorm(
  hookPoint: string,
  model: ModelFacts,
  sources: readonly Source[],
  norms: StreamNorms | null,
): StreamNorm | null {
  const place = canonicalName(hookPoint, model.blocks);
  const measured = norms?.norm(hookPoint) ?? null;
  if (place === null) return null;
  if (norms !== null && measured !== null) return { norm: measured, version: norms.version, from: place };
  for (const { card, id, hookPoint: its } of sources) {
    if (card?.median_stream_norm && canonicalName(its, model.blocks) === place) {
      return { norm: card.median_stream_norm, version: String(card.statistics_version ?? 0), from: id };
    }
  }
  return null;
}
