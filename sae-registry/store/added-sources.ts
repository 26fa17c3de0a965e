import { and, asc, eq, isNull } from 'drizzle-orm';
import { sourceInvalid } from '../source-error.ts';
import { type Store, writeStore } from './open-store.ts';
import { addedSources, profiles } from './schema.ts';
import { checkSourceName } from './sources.ts';

/** A dictionary that is loaded with its model at every start. */
export interface AddedSource {
  readonly model: string;
  /** The second part of its id, whatever its card or folder says. */
  readonly name: string;
  /** Folder or file, absolute. */
  readonly path: string;
  /** What was asked for: a path, a Hub id with its revision, `release/id` of the catalog. */
  readonly origin: string;
  /** Unix milliseconds. */
  readonly addedAt: number;
}

/** Remembers a dictionary. Throws `source_invalid` for a name that is taken, or could not be an id's part. */
export function rememberSource(store: Store, source: Omit<AddedSource, 'addedAt'>): AddedSource {
  checkSourceName(source.name);
  return writeStore(store, (db) => {
    const known = db.select().from(addedSources).where(named(source.model, source.name)).get();
    if (known && known.path !== source.path) {
      const id = `${source.model}/${source.name}`;
      throw sourceInvalid(
        `${id} is there already (${known.origin}). Add this one with --name, or take that away first: tiller sae remove ${id}`,
      );
    }
    const row = db
      .insert(addedSources)
      .values(source)
      .onConflictDoUpdate({ target: [addedSources.model, addedSources.name], set: source })
      .returning()
      .get();
    return plain(row);
  });
}

/** All of them, or those of one model, in the order in which they were added. */
export function rememberedSources({ db }: Store, model?: string): AddedSource[] {
  const rows = db
    .select()
    .from(addedSources)
    .where(model === undefined ? undefined : eq(addedSources.model, model))
    .orderBy(asc(addedSources.id))
    .all();
  return rows.map(plain);
}

/** It is loaded no more; labels, statistics and its files stay. False where none of that name was added. */
export function forgetAddedSource(store: Store, model: string, name: string): boolean {
  return writeStore(store, (db) => db.delete(addedSources).where(named(model, name)).run().changes > 0);
}

/** Saved steerings that were frozen with this source: `name:version`. */
export function profilesWithSource({ db }: Store, model: string, name: string): string[] {
  const rows = db
    .select({ name: profiles.name, version: profiles.version, fingerprint: profiles.fingerprint })
    .from(profiles)
    .where(and(eq(profiles.model, model), isNull(profiles.deletedAt)))
    .orderBy(asc(profiles.name), asc(profiles.version))
    .all();
  return rows
    .filter(({ fingerprint }) => sourceIds(fingerprint).includes(`${model}/${name}`))
    .map((row) => `${row.name}:${row.version}`);
}

/** The keys of a fingerprint's `sources`, which maps a source's id to its hash. */
function sourceIds(fingerprint: unknown): readonly string[] {
  if (typeof fingerprint !== 'object' || fingerprint === null || !('sources' in fingerprint)) return [];
  return Object.keys(fingerprint.sources ?? {});
}

function named(model: string, name: string) {
  return and(eq(addedSources.model, model), eq(addedSources.name, name));
}

function plain({ id: _, ...row }: typeof addedSources.$inferSelect): AddedSource {
  return row;
}
