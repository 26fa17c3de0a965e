import { TillerError } from '../../engine/core/index.ts';
import { type KnownSource, listSources, requireSource, type Store } from '../store/index.ts';

/** A source of the store by its id `model/name`, or by its name where only one model has it. Throws `source_not_found`. */
export function namedSource(store: Store, id: string): KnownSource {
  const named = id.includes('/') ? [] : listSources(store).filter(({ name }) => name === id);
  if (named.length > 1) {
    const message = `Several models have a source '${id}': ${named.map(sourceId).join(', ')}. Name one of them.`;
    throw new TillerError('source_not_found', message, { param: 'source', suggestions: named.map(sourceId) });
  }
  return named[0] ?? requireSource(store, id, 'source');
}

/** `model/name` */
export function sourceId({ model, name }: Pick<KnownSource, 'model' | 'name'>): string {
  return `${model}/${name}`;
}
