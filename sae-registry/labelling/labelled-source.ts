import { and, eq } from 'drizzle-orm';
import { nearest, TillerError } from '../../engine/core/index.ts';
import type { Store } from '../store/open-store.ts';
import { sources } from '../store/schema.ts';

/** A source of the store, as labelling needs it. */
export interface LabelledSource {
  /** Its row. */
  readonly row: number;
  /** `model/name` */
  readonly id: string;
  readonly features: number;
}

/** Finds a source by its id `model/name`, or by its name where only one model has it. Throws `source_not_found`. */
export function findLabelledSource({ db }: Store, id: string): LabelledSource {
  const [model, name] = id.includes('/') ? (id.split('/', 2) as [string, string]) : [null, id];
  const rows = db
    .select({ row: sources.id, model: sources.model, name: sources.name, features: sources.features })
    .from(sources)
    .where(model === null ? eq(sources.name, name) : and(eq(sources.model, model), eq(sources.name, name)))
    .all();
  const [only] = rows;
  if (rows.length === 1 && only) return { row: only.row, id: `${only.model}/${only.name}`, features: only.features };
  const known = db.select({ model: sources.model, name: sources.name }).from(sources).all();
  const ids = known.map((source) => `${source.model}/${source.name}`);
  const message =
    rows.length > 1
      ? `Several models have a source '${id}'. Name one as model/name.`
      : `The store knows no source '${id}'. Known: ${ids.slice(0, 20).join(', ') || 'none'}.`;
  throw new TillerError('source_not_found', message, { param: 'source', suggestions: nearest(id, ids) });
}
