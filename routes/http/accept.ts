import type { Context } from 'hono';
import { parseAccept } from 'hono/utils/accept';
import { TillerError } from '../../engine/core/index.ts';
import type { AppEnv } from './router.ts';

export const jsonType = 'application/json';
export const safetensorsType = 'application/vnd.safetensors';

/**
 * Which of the media types that a route can answer with its client wants (RFC 9110, 12.5.1): the one of greatest quality, of equal
 * ones the first; the first where nothing is said. Throws `not_acceptable` where it wants none of them.
 */
export function acceptedType<Type extends string>(c: Context<AppEnv>, offered: readonly [Type, ...Type[]]): Type {
  const header = c.req.header('accept');
  if (header === undefined || header.trim() === '') return offered[0];
  const ranges = parseAccept(header);
  const qualityOf = (type: Type) => {
    const fitting = ranges.filter(({ type: range }) => precision(range.toLowerCase(), type) > 0);
    const [best] = fitting.toSorted(
      (a, b) => precision(b.type.toLowerCase(), type) - precision(a.type.toLowerCase(), type),
    );
    return best?.q ?? 0;
  };
  const [best, quality] = offered
    .map((type) => [type, qualityOf(type)] as const)
    .reduce((chosen, next) => (next[1] > chosen[1] ? next : chosen));
  if (quality > 0) return best;
  const message = `This route answers with ${offered.map((type) => `'${type}'`).join(' or ')}: 'Accept' wants neither.`;
  throw new TillerError('not_acceptable', offered.length > 1 ? message : message.replace('neither', 'something else'), {
    param: 'Accept',
    suggestions: offered,
  });
}

/** How closely a media range means a type; 0: not at all. */
function precision(range: string, type: string): number {
  if (range === type) return 3;
  if (range === '*/*' || range === '*') return 1;
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1)) ? 2 : 0;
}
