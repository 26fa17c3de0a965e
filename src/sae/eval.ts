import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DictionaryHealth } from '../../routes/services.ts';
import { bundledFolder } from '../../sae-registry/index.ts';
import { type Config, theModel } from '../config.ts';
import { type OpenModelOptions, openModel } from '../open-model.ts';
import { textSequences } from '../reading-texts.ts';
import type { EvalSettings } from '../sae-settings.ts';
import { withStore } from '../with-store.ts';
import { evaluateSource } from './evaluate.ts';
import { upTo } from './up-to.ts';

/** Evaluates a source on the texts of a file, up to so many tokens. */
export async function runSaeEval(
  config: Config,
  name: string,
  { texts, sequenceTokens, tokens }: EvalSettings,
  { onProgress, onNotice, signal }: OpenModelOptions = {},
): Promise<DictionaryHealth> {
  theModel(config);
  const path = texts ?? join(bundledFolder(), 'calibration.jsonl');
  const total = path === '-' ? null : (await stat(path)).size;
  return withStore(config, async (store) => {
    const ready = await openModel({ ...config, maxRows: 2, warmUp: 'none' }, { onProgress, onNotice, signal, store });
    try {
      const [source] = ready.registry.sourcesNamed([name], 'source');
      if (!source) throw new Error('a source that was named is not there');
      const label = `Evaluating ${source.id}`;
      const onRead = (done: number) => onProgress?.({ label, done, total, unit: 'bytes' });
      const input = {
        path: path === '-' ? path : resolve(path),
        tokens: Math.min(sequenceTokens, ready.model.executor.context),
        onRead,
      };
      return await evaluateSource(ready, source, upTo(tokens, textSequences(ready.model, input)), { signal });
    } finally {
      await ready.close();
    }
  });
}
