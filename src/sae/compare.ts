import type { ProgressListener } from '../../engine/core/index.ts';
import { createTurnPace } from '../../engine/turn-pace.ts';
import {
  type Comparison,
  compareDictionaries,
  loadDictionary,
  readSourceCard,
  sourcePath,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { listKnownSources } from './list.ts';

const stages = { cosines: 'Cosines', matching: 'Optimal matching' } as const;

/** Compares two dictionaries, each by its id or its path; of whatever models they are. Throws as `compareDictionaries`, and as opening does. */
export async function compareSources(
  config: Config,
  a: string,
  b: string,
  onProgress?: ProgressListener,
): Promise<Comparison> {
  const known = await listKnownSources(config);
  const open = async (name: string) => {
    const path = known.find(({ id }) => id === name)?.path ?? sourcePath(name);
    const card = await readSourceCard(path);
    return loadDictionary(path, { foldDecoderNorms: card?.fold_decoder_norms, madeWith: card?.made_with });
  };
  return compareDictionaries(await open(a), await open(b), {
    pace: createTurnPace(),
    progress: (stage, done, total) => onProgress?.({ label: stages[stage], done, total, unit: 'items' }),
  });
}
