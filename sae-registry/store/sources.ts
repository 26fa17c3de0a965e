import { and, asc, eq, like } from 'drizzle-orm';
import { nearest, TillerError } from '../../engine/core/index.ts';
import { sourceInvalid } from '../source-error.ts';
import { addArtifact } from './artifacts.ts';
import { type Store, type StoreDatabase, writeStore } from './open-store.ts';
import { jobs, sources } from './schema.ts';

/** What the store keeps of a dictionary, loaded or not. */
export interface SourceFacts {
  readonly model: string;
  /** The second part of the id `model/name`. */
  readonly name: string;
  /** Where it reads; an autoencoder writes there too. Of a transcoder that does not say where it reads: where it writes. */
  readonly hookPoint: string;
  /** Where it writes, of a transcoder; null where that is where it reads. */
  readonly hookPointOut: string | null;
  /** Block that it writes in; null of the embedding. */
  readonly layer: number | null;
  readonly kind: string;
  readonly activation: string;
  readonly features: number;
  readonly dIn: number;
  readonly dOut: number;
  /** sha256 of the dictionary's files. */
  readonly hash: string;
  /** Where its files lie; null where its weights are not known. */
  readonly path: string | null;
}

export interface KnownSource extends SourceFacts {
  /** The row's own number, which everything that is kept of the source refers to. */
  readonly key: number;
  /** Key of the artifact that its weights came from. */
  readonly artifact: number | null;
  /** Unix milliseconds. */
  readonly addedAt: number;
}

/**
 * Writes a source down, or brings what is known of it up to date, and returns it. Labels and statistics belong to the weights:
 * where others had this name, those keep what is theirs under `name~<hash>`, and get their name back when they come back.
 * Throws `source_invalid` for a name that could not be an id's part.
 */
export function registerSource(store: Store, facts: SourceFacts): KnownSource {
  checkSourceName(facts.name);
  return writeStore(store, (db) => {
    const named = findByName(db, facts.model, facts.name);
    if (named && named.hash !== facts.hash) {
      rename(db, named.id, `${named.name}${aside(named.hash)}`);
      const earlier = findByName(db, facts.model, `${facts.name}${aside(facts.hash)}`);
      if (earlier?.hash === facts.hash) rename(db, earlier.id, facts.name);
    }
    const artifact =
      facts.path === null
        ? null
        : addArtifact({ db }, { kind: 'dictionary', origin: facts.path, hash: facts.hash, bytes: null });
    const row = db
      .insert(sources)
      .values({ ...facts, artifact })
      .onConflictDoUpdate({ target: [sources.model, sources.name], set: { ...facts, artifact } })
      .returning()
      .get();
    return known(row);
  });
}

/** A source by its id's parts; null where the store knows none of that name. */
export function findSource({ db }: Store, model: string, name: string): KnownSource | null {
  const row = findByName(db, model, name);
  return row ? known(row) : null;
}

/** A source by its id `model/name`. Throws `source_not_found` with the nearest ids that the store knows. */
export function requireSource(store: Store, id: string, param?: string): KnownSource {
  const slash = id.indexOf('/');
  const found = slash < 0 ? null : findSource(store, id.slice(0, slash), id.slice(slash + 1));
  if (found) return found;
  const ids = listSources(store).map(({ model, name }) => `${model}/${name}`);
  const known = ids.length === 0 ? 'It knows none yet' : `It knows ${ids.slice(0, 10).join(', ')}`;
  throw new TillerError(
    'source_not_found',
    `The store knows no source '${id}'. ${known}${ids.length > 10 ? ', …' : ''}: a source is known once it was loaded (tiller serve --source).`,
    { param, suggestions: nearest(id, ids) },
  );
}

/** All sources, or those of one model, by model and name. */
export function listSources({ db }: Store, model?: string): KnownSource[] {
  const rows = db
    .select()
    .from(sources)
    .where(model === undefined ? undefined : eq(sources.model, model))
    .orderBy(asc(sources.model), asc(sources.name))
    .all();
  return rows.map(known);
}

/** Forgets a source with its labels, statistics and examples; its files stay. False where there is none of that name. */
export function removeSource(store: Store, model: string, name: string): boolean {
  return writeStore(store, (db) => {
    const row = findByName(db, model, name);
    if (row) {
      db.delete(sources).where(eq(sources.id, row.id)).run();
      db.delete(jobs)
        .where(like(jobs.key, `source:${row.id} %`))
        .run();
    }
    return row !== undefined;
  });
}

/** A name that is one part of an id and of an address: no slash, no space, no `.` or `..`. Throws `source_invalid`. */
export function checkSourceName(name: string): void {
  if (/^[^/\\\s\p{Cc}]{1,200}$/u.test(name) && name !== '.' && name !== '..') return;
  throw sourceInvalid(
    `'${name}' cannot name a source: 1 to 200 characters without slashes and spaces, not '.' or '..'.`,
  );
}

/** Goes behind the name of weights whose name others have taken. */
function aside(hash: string): string {
  return `~${hash.slice(-12)}`;
}

function findByName(db: StoreDatabase, model: string, name: string) {
  return db
    .select()
    .from(sources)
    .where(and(eq(sources.model, model), eq(sources.name, name)))
    .get();
}

function rename(db: StoreDatabase, id: number, name: string): void {
  db.update(sources).set({ name }).where(eq(sources.id, id)).run();
}

function known({ id, ...row }: typeof sources.$inferSelect): KnownSource {
  return { key: id, ...row };
}
