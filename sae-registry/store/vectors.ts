import { createHash } from 'node:crypto';
import { and, asc, desc, eq, inArray, isNull, max, sql } from 'drizzle-orm';
import { nearest, TillerError } from '../../engine/core/index.ts';
import { addArtifact, findArtifact } from './artifacts.ts';
import { fromBlob, toBlob } from './float32-blob.ts';
import { type Store, type StoreDatabase, writeStore } from './open-store.ts';
import { formatSavedName, parseSavedName } from './saved-name.ts';
import { profiles, profileVectors, vectorDirections, vectors } from './schema.ts';

/** A dense direction at one hook point, in the stream's own units. */
export interface Direction {
  /** In canonical spelling. */
  readonly hookPoint: string;
  readonly values: Float32Array;
}

/** One version of a saved vector: directions at one or more hook points, which never change. */
export interface SavedVector {
  readonly id: number;
  readonly model: string;
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** How it was made: `uploaded`, … */
  readonly method: string;
  /** Unix milliseconds. */
  readonly addedAt: number;
  /** Where it is from, as its maker said; null where that is not known. */
  readonly origin: string | null;
  /** In the order in which they were given. */
  readonly directions: readonly Direction[];
}

export type VectorSummary = Omit<SavedVector, 'directions' | 'origin'> & { readonly hookPoints: readonly string[] };

export interface NewVector {
  readonly model: string;
  /** Checked by the caller (`checkName`). */
  readonly name: string;
  readonly description: string;
  readonly method: string;
  /** Where it came from, for its provenance. */
  readonly origin: string;
  /** At different hook points. */
  readonly directions: readonly Direction[];
}

/** Saves the next version of a vector. Versions of one name are numbered in one transaction, whoever else writes. */
export function addVector(store: Store, vector: NewVector): SavedVector {
  const { model, name, description, method, origin, directions } = vector;
  const blobs = directions.map(({ values }) => toBlob(values));
  const hash = createHash('sha256');
  for (const blob of blobs) hash.update(blob);
  const bytes = blobs.reduce((sum, blob) => sum + blob.byteLength, 0);
  return writeStore(store, (db) => {
    const artifact = addArtifact({ db }, { kind: 'vector', origin, hash: hash.digest('hex'), bytes });
    const last = db
      .select({ version: max(vectors.version) })
      .from(vectors)
      .where(and(eq(vectors.model, model), eq(vectors.name, name)))
      .get();
    const version = (last?.version ?? 0) + 1;
    const row = db.insert(vectors).values({ model, name, version, description, method, artifact }).returning().get();
    for (const [at, { hookPoint }] of directions.entries()) {
      const values = blobs[at] as Buffer;
      db.insert(vectorDirections).values({ vector: row.id, hookPoint, values }).run();
    }
    return { ...plain(row), origin, directions };
  });
}

/** The vector that `name` (its newest version) or `name:version` means. Throws `vector_not_found` with the nearest names. */
export function findVector(store: Store, model: string, reference: string, param: string): SavedVector {
  const { db } = store;
  const row = findRow(db, model, reference);
  if (row === undefined) throw vectorNotFound(db, model, reference, param);
  const directions = db
    .select()
    .from(vectorDirections)
    .where(eq(vectorDirections.vector, row.id))
    .orderBy(sql`rowid`)
    .all()
    .map(({ hookPoint, values }) => ({ hookPoint, values: fromBlob(values) }));
  const origin = row.artifact === null ? null : (findArtifact(store, row.artifact)?.origin ?? null);
  return { ...plain(row), origin, directions };
}

/** Every version of a model's vectors, or of all models', newest first within a name. */
export function listVectors({ db }: Store, model: string | null): readonly VectorSummary[] {
  const rows = db
    .select()
    .from(vectors)
    .where(and(isNull(vectors.deletedAt), model === null ? undefined : eq(vectors.model, model)))
    .orderBy(asc(vectors.model), asc(vectors.name), desc(vectors.version))
    .all();
  const places = new Map<number, string[]>();
  const named = db
    .select({ vector: vectorDirections.vector, hookPoint: vectorDirections.hookPoint })
    .from(vectorDirections)
    .orderBy(sql`rowid`)
    .all();
  for (const { vector, hookPoint } of named) places.set(vector, [...(places.get(vector) ?? []), hookPoint]);
  return rows.map((row) => ({ ...plain(row), hookPoints: places.get(row.id) ?? [] }));
}

/**
 * Deletes one version (`name:version`) or all versions of a name, and says which. Throws `vector_not_found`, and `in_use` where
 * a profile was made with one of them; then none is deleted.
 */
export function deleteVector(store: Store, model: string, reference: string, param: string): readonly number[] {
  return writeStore(store, (db) => {
    const wanted = parseSavedName(reference);
    const rows = wanted === null ? [] : versionsOf(db, model, wanted.name, wanted.version);
    if (rows.length === 0) throw vectorNotFound(db, model, reference, param);
    const ids = rows.map(({ id }) => id);
    const user = db
      .select({ name: profiles.name, version: profiles.version, vector: profileVectors.vector })
      .from(profileVectors)
      .innerJoin(profiles, eq(profiles.id, profileVectors.profile))
      .where(inArray(profileVectors.vector, ids))
      .get();
    if (user) {
      const version = rows.find(({ id }) => id === user.vector)?.version ?? 0;
      const vector = formatSavedName({ name: wanted?.name ?? reference, version });
      const message = `'${vector}' is part of profile '${formatSavedName(user)}': delete that version of the profile first.`;
      throw new TillerError('in_use', message, { param });
    }
    db.delete(vectorDirections).where(inArray(vectorDirections.vector, ids)).run();
    db.update(vectors).set({ deletedAt: Date.now() }).where(inArray(vectors.id, ids)).run();
    return rows.map(({ version }) => version);
  });
}

type Row = typeof vectors.$inferSelect;

function versionsOf(db: StoreDatabase, model: string, name: string, version: number | null): Row[] {
  const one = version === null ? undefined : eq(vectors.version, version);
  return db
    .select()
    .from(vectors)
    .where(and(eq(vectors.model, model), eq(vectors.name, name), isNull(vectors.deletedAt), one))
    .orderBy(desc(vectors.version))
    .all();
}

function findRow(db: StoreDatabase, model: string, reference: string): Row | undefined {
  const wanted = parseSavedName(reference);
  return wanted === null ? undefined : versionsOf(db, model, wanted.name, wanted.version)[0];
}

function vectorNotFound(db: StoreDatabase, model: string, reference: string, param: string): TillerError {
  const rows = db
    .select({ name: vectors.name, version: vectors.version })
    .from(vectors)
    .where(and(eq(vectors.model, model), isNull(vectors.deletedAt)))
    .all();
  const names = [...new Set(rows.flatMap((row) => [row.name, formatSavedName(row)]))];
  const saved = rows.length === 0 ? 'none is saved' : 'GET /api/v1/vectors lists those that are saved';
  const message = `There is no vector '${reference.slice(0, 100)}' of ${model}: ${saved}. A direction can stand in the edit itself: {"hook_point", "data"}.`;
  return new TillerError('vector_not_found', message, { param, suggestions: nearest(reference, names) });
}

function plain({ id, model, name, version, description, method, addedAt }: Row) {
  return { id, model, name, version, description, method, addedAt };
}
