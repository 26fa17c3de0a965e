import { nearest, TillerError } from '../engine/core/index.ts';

/** What is saved under names of models: whose it is, and its name. */
interface Saved {
  readonly model: string;
  readonly name: string;
}

/**
 * Whose vector or profile `[model@]name[:version]` means; `name` keeps its version. Throws `vector_not_found` or `profile_not_found`, and
 * `invalid_request` where several models have one of that name.
 */
export function locateSaved(kind: 'vector' | 'profile', reference: string, list: () => readonly Saved[]): Saved {
  const at = reference.lastIndexOf('@');
  const name = reference.slice(at + 1);
  if (at >= 0) return { model: reference.slice(0, at), name };
  const all = list();
  const models = [...new Set(all.flatMap((one) => (one.name === name.split(':')[0] ? [one.model] : [])))];
  const [model, ...others] = models;
  if (model === undefined) {
    const names = [...new Set(all.map((one) => one.name))];
    const known = names.length === 0 ? 'none is saved' : `tiller ${lists[kind]} list shows those that are`;
    throw new TillerError(`${kind}_not_found`, `There is no ${kind} '${name}': ${known}.`, {
      param: 'name',
      suggestions: nearest(name, names),
    });
  }
  if (others.length === 0) return { model, name };
  const suggestions = models.map((one) => `${one}@${name}`);
  const message = `Several models have a ${kind} '${name}': say which, as ${suggestions.join(' or ')}.`;
  throw new TillerError('invalid_request', message, { param: 'name', suggestions });
}

/** The groups of commands. */
const lists = { vector: 'vectors', profile: 'profile' } as const;
