import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createTurnPace } from '../../engine/turn-pace.ts';
import {
  bundledFolder,
  type Comparison,
  compareActivations,
  compareDictionaries,
  loadDictionary,
  readSourceCard,
  type Source,
  sourcePath,
} from '../../sae-registry/index.ts';
import { type Config, theModel } from '../config.ts';
import { type OpenModelOptions, openModel } from '../open-model.ts';
import { readSources } from '../read-sources.ts';
import { textSequences } from '../reading-texts.ts';
import type { CompareSettings } from '../sae-settings.ts';
import { withStore } from '../with-store.ts';
import { listKnownSources } from './list.ts';
import { upTo } from './up-to.ts';

const stages = {
  cosines: { label: 'Cosines', unit: 'items' },
  reading: { label: 'Tokens read', unit: 'items' },
  matching: { label: 'Optimal matching', unit: 'items' },
} as const;

/**
 * Compares two dictionaries, each by its id or its path: by decoder vectors, of whatever models they are, or by their activations on
 * texts, both of the configured model. Throws as `compareDictionaries`, `compareActivations`, and as opening does.
 */
export async function compareSources(
  config: Config,
  a: string,
  b: string,
  settings: CompareSettings,
  options: OpenModelOptions = {},
): Promise<Comparison> {
  const known = await listKnownSources(config);
  const pathOf = (name: string) => known.find(({ id }) => id === name)?.path ?? sourcePath(name);
  const how = {
    pace: createTurnPace(),
    progress: (stage: keyof typeof stages, done: number, total: number | null) =>
      options.onProgress?.({ ...stages[stage], done, total }),
  };
  if (settings.by === 'activation') return byActivation(config, pathOf(a), pathOf(b), settings, { ...options, how });
  const open = async (name: string) => {
    const path = pathOf(name);
    const card = await readSourceCard(path);
    return loadDictionary(path, { foldDecoderNorms: card?.fold_decoder_norms, madeWith: card?.made_with });
  };
  return compareDictionaries(await open(a), await open(b), how);
}

async function byActivation(
  config: Config,
  a: string,
  b: string,
  { texts, sequenceTokens, tokens }: CompareSettings,
  { onProgress, onNotice, signal, how }: OpenModelOptions & { readonly how: Parameters<typeof compareActivations>[3] },
): Promise<Comparison> {
  theModel(config);
  const path = texts ?? join(bundledFolder(), 'calibration.jsonl');
  if (path !== '-') await stat(path);
  return withStore(config, async (store) => {
    const source = [...new Set([a, b])];
    const opened = { ...config, source, maxRows: 2, warmUp: 'none' } as const;
    const ready = await openModel(opened, { onProgress, onNotice, signal, store });
    try {
      const [one, other = one] = ready.registry.sources as readonly [Source, Source?];
      const input = {
        path: path === '-' ? path : resolve(path),
        tokens: Math.min(sequenceTokens, ready.model.executor.context),
      };
      const sequences = upTo(tokens, textSequences(ready.model, input));
      const ids = [...new Set([one.id, other.id])];
      const readings = readSources(ready, sequences, ids, signal ?? null);
      return await compareActivations(one.dictionary, other.dictionary, readings, how);
    } finally {
      await ready.close();
    }
  });
}
