import { type Engine, readActivations, type Tokenizer } from '../engine/index.ts';
import type { ActivationSearch, ModelService, SequenceFeatures } from '../routes/services.ts';
import { activeFeatures, countedTokens, type Registry, rankActivations } from '../sae-registry/index.ts';

/** What reading a model's sources needs of it. */
export interface FeatureReader {
  readonly engine: Engine;
  readonly registry: Registry;
  readonly tokenizer: Tokenizer;
}

/** Most activations of a token that a search looks at: tokens that count have tens. */
const searchedActivations = 1024;
let requests = 0;

/** `ModelService.readFeatures` and `searchByActivation` over an engine and a registry. */
export function featureReading(reader: FeatureReader): Pick<ModelService, 'readFeatures' | 'searchByActivation'> {
  const readFeatures: ModelService['readFeatures'] = (request) => read(reader, request);
  return { readFeatures, searchByActivation: (request) => search(reader, readFeatures, request) };
}

async function* read(
  { engine, registry, tokenizer }: FeatureReader,
  { sequences, sources: names, limit, edits, signal }: Parameters<ModelService['readFeatures']>[0],
): AsyncGenerator<SequenceFeatures> {
  const sources = registry.sourcesNamed(names, 'sources');
  const encodings = sources.map((source) => ({ encoder: registry.encoder(source), limit }));
  const { specialTokenIds } = tokenizer;
  const options = { id: `reading-${++requests}`, encodings, edits, specialTokenIds, signal };
  for await (const { tokenIds, activations } of readActivations(engine, sequences, options)) {
    yield {
      tokenIds,
      sources: sources.map((source, k) => ({
        id: source.id,
        hookPoint: encodings[k]?.encoder.hookPoint ?? source.hookPoint,
        sinkNorm: source.card?.sink_norm ?? null,
        activations: activations[k] as (typeof activations)[number],
      })),
    };
  }
}

async function search(
  { registry }: FeatureReader,
  readFeatures: ModelService['readFeatures'],
  { tokenIds, sources, by, limit, signal }: Parameters<ModelService['searchByActivation']>[0],
): Promise<ActivationSearch> {
  const request = { sequences: [tokenIds], sources, limit: searchedActivations, signal };
  for await (const { sources: readings } of readFeatures(request)) {
    return {
      sources: readings.map(({ id, hookPoint, sinkNorm, activations }) => {
        const counted = countedTokens(activations, sinkNorm);
        const { offsets, active } = activations;
        const isCut = (t: number) => (active[t] as number) > (offsets[t + 1] as number) - (offsets[t] as number);
        const [source] = registry.sourcesNamed([id], 'sources');
        const ranked = rankActivations(activeFeatures(activations, counted), by, limit);
        return {
          id,
          hookPoint,
          ignored: counted.flatMap((counts, t) => (counts ? [] : [t])),
          truncated: counted.flatMap((counts, t) => (counts && isCut(t) ? [t] : [])),
          features: source ? ranked.map((found) => ({ ...registry.summary(source, found.index), ...found })) : [],
        };
      }),
    };
  }
  return { sources: [] };
}
