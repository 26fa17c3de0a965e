import type { SourceReading } from '../sae-registry/index.ts';
import { featureReading } from './read-features.ts';
import type { ReadyModel } from './services.ts';

/** Most activations of a token that are read: those of a token that counts are far fewer. */
const readActivations = 4096;

/** Token sequences as each of some sources reads them, by id, a sequence at a time in the order of the ids. */
export async function* readSources(
  { engine, registry, model }: Pick<ReadyModel, 'engine' | 'registry' | 'model'>,
  sequences: Iterable<Int32Array> | AsyncIterable<Int32Array>,
  sources: readonly string[],
  signal: AbortSignal | null,
): AsyncGenerator<readonly SourceReading[]> {
  const { readFeatures } = featureReading({ engine, registry, tokenizer: model.tokenizer });
  for await (const text of readFeatures({ sequences, sources, limit: readActivations, signal })) yield text.sources;
}
