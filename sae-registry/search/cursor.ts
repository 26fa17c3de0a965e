import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';
import { type SearchMode, type SearchQuery, searchModes } from './query.ts';

/** Where a page ended. Opaque to those who carry it. */
export interface Cursor {
  /** What the page was searched with; the next one is too. */
  readonly mode: SearchMode;
  /** Features given out so far. */
  readonly given: number;
  /** The last of them: what follows it comes next, wherever it stands now. */
  readonly last: string;
  /** Newest label that was there at the first page: later ones do not move the pages. */
  readonly newest: number;
}

const cursorSchema = z.tuple([
  z.string(),
  z.enum(searchModes),
  z.int().nonnegative(),
  z.string(),
  z.int().nonnegative(),
]);

export function writeCursor(query: SearchQuery, { mode, given, last, newest }: Cursor): string {
  return Buffer.from(JSON.stringify([fingerprint(query), mode, given, last, newest])).toString('base64url');
}

/** Throws `invalid_request` for what is no cursor, or another search's. */
export function readCursor(query: SearchQuery, text: string): Cursor {
  const parsed = cursorSchema.safeParse(parse(text));
  if (!parsed.success) throw invalid('is no cursor of this service');
  const [its, mode, given, last, newest] = parsed.data;
  if (its !== fingerprint(query)) throw invalid('belongs to another search: text, filters and mode must be the same');
  return { mode, given, last, newest };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function fingerprint({ text, filters, mode }: SearchQuery): string {
  const { model, sources, layers, density, methods } = filters;
  const parts = [text, model, sources, layers, density?.min ?? null, density?.max ?? null, methods, mode];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 12);
}

function invalid(why: string): TillerError {
  return new TillerError('invalid_request', `'cursor' ${why}. Leave it out to begin at the first page.`, {
    param: 'cursor',
  });
}
