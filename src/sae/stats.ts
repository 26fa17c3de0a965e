import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type ProgressListener, readActivations } from '../../engine/index.ts';
import { bundledFolder, runStatisticsJob, type StatisticsOutcome } from '../../sae-registry/index.ts';
import { type Config, theModel } from '../config.ts';
import { type OpenModelOptions, openModel } from '../open-model.ts';
import { textSequences } from '../reading-texts.ts';
import type { StatsSettings } from '../sae-settings.ts';
import type { ReadyModel } from '../services.ts';
import { withStore } from '../with-store.ts';
import { answeredSequences } from './answered-sequences.ts';

/** Most activations of a token that are read: those of a token that counts are far fewer. */
const readActivationsOfToken = 4096;

export interface StatsRun extends StatisticsOutcome {
  readonly source: string;
}

/** Runs texts, or the model's own answers, through the model and writes down what a source's features do on them. */
export async function runSaeStats(
  config: Config,
  name: string,
  settings: StatsSettings,
  { onProgress, onNotice, signal }: OpenModelOptions & { readonly signal?: AbortSignal } = {},
): Promise<StatsRun> {
  theModel(config);
  return withStore(config, async (store) => {
    const ready = await openModel({ ...config, maxRows: 2, warmUp: 'none' }, { onProgress, onNotice, signal, store });
    try {
      return await collect(ready, name, settings, { onProgress, signal });
    } finally {
      await ready.close();
    }
  });
}

async function collect(
  { engine, model, registry }: ReadyModel,
  name: string,
  { texts, prompts, sequenceTokens, answerTokens, restart }: StatsSettings,
  { onProgress, signal }: { readonly onProgress?: ProgressListener; readonly signal?: AbortSignal },
): Promise<StatsRun> {
  const [source] = registry.sourcesNamed([name], 'source');
  if (!source) throw new Error('a source that was named is not there');
  const encodings = [
    { encoder: registry.encoder(source), limit: Math.min(readActivationsOfToken, source.dictionary.features) },
  ];
  const path = prompts ?? texts ?? join(bundledFolder(), 'calibration.jsonl');
  const tokens = Math.min(sequenceTokens, model.executor.context);
  const label = `Features of ${source.id}`;
  const total = path === '-' ? null : (await stat(path)).size;
  const onRead = (done: number) => onProgress?.({ label, done, total, unit: 'bytes' });
  onRead(0);
  const input = { path: path === '-' ? path : resolve(path), tokens, onRead };
  const sequences =
    prompts === null
      ? textSequences(model, input)
      : answeredSequences(engine, model, { ...input, answerTokens, signal: signal ?? null });
  const outcome = await runStatisticsJob({
    store: registry.store,
    source,
    text: `${prompts === null ? 'texts' : `answers of ${answerTokens}`} ${basename(path)} in ${tokens}`,
    sequences,
    read: async function* (given) {
      for await (const { tokenIds, activations } of readActivations(engine, given, {
        id: 'stats',
        encodings,
        signal,
      })) {
        yield { tokenIds, activations: activations[0] as (typeof activations)[number] };
      }
    },
    tokenText: (id) => model.tokenizer.tokenText(id),
    restart,
  });
  return { source: source.id, ...outcome };
}
