import { nearest, TillerError } from '../../engine/core/index.ts';
import { bundledSources, forgetAddedSource, profilesWithSource, rememberedSources } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';

/**
 * From the next start on an added dictionary is loaded no more; its files, labels and statistics stay. Throws `source_not_found`, and
 * `in_use` where saved steerings were made with it.
 */
export async function removeAddedSource(config: Config, id: string): Promise<void> {
  return withStore(config, async (store) => {
    const known = rememberedSources(store).map(({ model, name }) => ({ model, name, id: `${model}/${name}` }));
    const source = known.find((candidate) => candidate.id === id);
    if (!source)
      throw notAdded(
        id,
        known.map((candidate) => candidate.id),
      );
    const profiles = profilesWithSource(store, source.model, source.name);
    if (profiles.length > 0) {
      const message = `${id} is used by ${profiles.slice(0, 5).join(', ')}. Delete ${profiles.length === 1 ? 'that profile' : 'those profiles'} first.`;
      throw new TillerError('in_use', message, { param: 'source' });
    }
    forgetAddedSource(store, source.model, source.name);
  });
}

function notAdded(id: string, ids: readonly string[]): TillerError {
  const message = bundledSources().includes(id)
    ? `${id} is bundled and stays; to start without it name others with --source.`
    : `No source '${id}' was added. Added: ${ids.join(', ') || 'none'}.`;
  return new TillerError('source_not_found', message, { param: 'source', suggestions: nearest(id, ids) });
}
