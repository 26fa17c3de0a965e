import { nearest, TillerError } from '../../engine/core/index.ts';
import { findSource, type KnownSource, listSources, type Store } from '../store/index.ts';

/** A source of the store by its id `model/name`, or by its name where only one model has it. Throws `source_not_found`. */
export function namedSource(store: Store, id: string): KnownSource {
  const all = listSources(store);
  const [model, name = '', ...rest] = id.split('/');
  const one = model !== undefined && rest.length === 0 ? findSource(store, model, name) : null;
  if (one) return one;
  const named = all.filter((source) => source.name === id);
  if (named.length === 1 && named[0]) return named[0];
  const ids = all.map(sourceId);
  const message =
    named.length > 1
      ? `Several models have a source '${id}': ${named.map(sourceId).join(', ')}. Name one of them.`
      : `The store knows no source '${id}'. Known: ${ids.slice(0, 20).join(', ') || 'none'}.`;
  throw new TillerError('source_not_found', message, { param: 'source', suggestions: nearest(id, ids) });
}

/** `model/name` */
export function sourceId({ model, name }: Pick<KnownSource, 'model' | 'name'>): string {
  return `${model}/${name}`;
}
