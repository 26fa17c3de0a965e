import { and, asc, desc, eq, getTableColumns, isNull, max } from 'drizzle-orm';
import { z } from 'zod';
import { nearest, TillerError } from '../../engine/core/index.ts';
import { type FrozenSteering, fromStored, toStored } from '../frozen-steering.ts';
import { addArtifact } from './artifacts.ts';
import { fromBlob, toBlob } from './float32-blob.ts';
import { type Store, type StoreDatabase, writeStore } from './open-store.ts';
import { formatSavedName, parseSavedName } from './saved-name.ts';
import { profileDirections, profiles, profileVectors } from './schema.ts';

export const profileFingerprintSchema = z.strictObject({
  model: z.string(),
  /** Hash of the weights that it was frozen on: on others it does not run. */
  model_hash: z.string(),
  /** Source id → hash of its files. */
  sources: z.record(z.string(), z.string()),
  /** Source id or hook point → version of the statistics that its units were taken from. */
  statistics: z.record(z.string(), z.string()),
  /** Of the frozen steering (`frozenHash`): what pins the text. */
  hash: z.string(),
});

/** What a profile was frozen with. */
export type ProfileFingerprint = z.infer<typeof profileFingerprintSchema>;

export interface ProfileSummary {
  readonly id: number;
  readonly model: string;
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** Unix milliseconds. */
  readonly addedAt: number;
  readonly fingerprint: ProfileFingerprint;
}

/** One version of a saved steering, which never changes. */
export interface SavedProfile extends ProfileSummary {
  /** As it was asked for: the wire form of `steering`. */
  readonly steering: unknown;
  /** What runs. */
  readonly frozen: FrozenSteering;
  /** Rows of the saved vectors that it was made with. */
  readonly vectors: readonly number[];
}

export interface NewProfile extends Omit<SavedProfile, 'id' | 'version' | 'addedAt'> {
  /** The file that it is from, where it is imported. */
  readonly file: { readonly origin: string; readonly hash: string; readonly bytes: number } | null;
}

/** Saves the next version of a profile. Versions of one name are numbered in one transaction, whoever else writes. */
export function addProfile(store: Store, profile: NewProfile): SavedProfile {
  const { model, name, description, steering, frozen, fingerprint, vectors, file } = profile;
  return writeStore(store, (db) => {
    const last = db
      .select({ version: max(profiles.version) })
      .from(profiles)
      .where(and(eq(profiles.model, model), eq(profiles.name, name)))
      .get();
    const version = (last?.version ?? 0) + 1;
    const artifact = file && addArtifact({ db }, { kind: 'profile', ...file });
    const row = db
      .insert(profiles)
      .values({ model, name, version, description, steering, frozen: toStored(frozen), fingerprint, artifact })
      .returning()
      .get();
    for (const [position, direction] of frozen.directions.entries()) {
      db.insert(profileDirections)
        .values({ profile: row.id, position, values: toBlob(direction) })
        .run();
    }
    for (const vector of new Set(vectors)) db.insert(profileVectors).values({ profile: row.id, vector }).run();
    return { ...summary(row), steering, frozen, vectors };
  });
}

/** The profile that `name` (its newest version) or `name:version` means. Throws `profile_not_found` with the nearest names. */
export function findProfile({ db }: Store, model: string, reference: string, param: string): ProfileSummary {
  const wanted = parseSavedName(reference);
  const row = wanted === null ? undefined : versionsOf(db, model, wanted.name, wanted.version)[0];
  if (row === undefined) throw profileNotFound(db, model, reference, param);
  return summary(row);
}

/** A profile with what runs. Throws `profile_not_found` for one that was deleted meanwhile. */
export function readProfile({ db }: Store, id: number): SavedProfile {
  const row = db
    .select()
    .from(profiles)
    .where(and(eq(profiles.id, id), isNull(profiles.deletedAt)))
    .get();
  if (row === undefined) throw new TillerError('profile_not_found', 'The profile was deleted.');
  const directions = db
    .select({ values: profileDirections.values })
    .from(profileDirections)
    .where(eq(profileDirections.profile, id))
    .orderBy(asc(profileDirections.position))
    .all()
    .map(({ values }) => fromBlob(values));
  const vectors = db
    .select({ vector: profileVectors.vector })
    .from(profileVectors)
    .where(eq(profileVectors.profile, id))
    .all()
    .map(({ vector }) => vector);
  return {
    ...summary(row),
    vectors,
    steering: row.steering,
    frozen: { ...fromStored(row.frozen), directions },
  };
}

/** Every version of a model's profiles, or of all models' or of one name, newest first within a name. */
export function listProfiles(
  { db }: Store,
  model: string | null,
  name: string | null = null,
): readonly ProfileSummary[] {
  return db
    .select(summaryColumns)
    .from(profiles)
    .where(
      and(
        isNull(profiles.deletedAt),
        model === null ? undefined : eq(profiles.model, model),
        name === null ? undefined : eq(profiles.name, name),
      ),
    )
    .orderBy(asc(profiles.model), asc(profiles.name), desc(profiles.version))
    .all()
    .map(summary);
}

/**
 * Deletes one version (`name:version`) or all versions of a name, and says which; their numbers are not given again. `heldBy` says
 * who uses a version. Throws `profile_not_found`, and `in_use` where one of them is used; then none is deleted.
 */
export function deleteProfile(
  store: Store,
  model: string,
  reference: string,
  options: { readonly param: string; readonly heldBy: (id: number) => string | null },
): readonly number[] {
  const { param, heldBy } = options;
  return writeStore(store, (db) => {
    const wanted = parseSavedName(reference);
    const rows = wanted === null ? [] : versionsOf(db, model, wanted.name, wanted.version);
    if (rows.length === 0) throw profileNotFound(db, model, reference, param);
    for (const row of rows) {
      const holder = heldBy(row.id);
      if (holder === null) continue;
      throw new TillerError('in_use', `Profile '${formatSavedName(row)}' is not deleted: ${holder}.`, { param });
    }
    for (const { id } of rows) {
      db.delete(profileDirections).where(eq(profileDirections.profile, id)).run();
      db.delete(profileVectors).where(eq(profileVectors.profile, id)).run();
      db.update(profiles).set({ deletedAt: Date.now(), steering: {}, frozen: [] }).where(eq(profiles.id, id)).run();
    }
    return rows.map(({ version }) => version);
  });
}

/** All but the steering itself, which can be large. */
const { id, model, name, version, description, addedAt, fingerprint } = getTableColumns(profiles);
const summaryColumns = { id, model, name, version, description, addedAt, fingerprint };
type Row = Pick<typeof profiles.$inferSelect, keyof typeof summaryColumns>;

function versionsOf(db: StoreDatabase, model: string, name: string, version: number | null): Row[] {
  const one = version === null ? undefined : eq(profiles.version, version);
  return db
    .select(summaryColumns)
    .from(profiles)
    .where(and(eq(profiles.model, model), eq(profiles.name, name), isNull(profiles.deletedAt), one))
    .orderBy(desc(profiles.version))
    .all();
}

function profileNotFound(db: StoreDatabase, model: string, reference: string, param: string): TillerError {
  const rows = db
    .select({ name: profiles.name, version: profiles.version })
    .from(profiles)
    .where(and(eq(profiles.model, model), isNull(profiles.deletedAt)))
    .all();
  const names = [...new Set(rows.flatMap((row) => [row.name, formatSavedName(row)]))];
  const saved = rows.length === 0 ? 'none is saved' : 'GET /api/v1/profiles lists those that are saved';
  const message = `There is no profile '${reference.slice(0, 100)}' of ${model}: ${saved}.`;
  return new TillerError('profile_not_found', message, { param, suggestions: nearest(reference, names) });
}

function summary({ id, model, name, version, description, addedAt, fingerprint }: Row): ProfileSummary {
  return { id, model, name, version, description, addedAt, fingerprint: profileFingerprintSchema.parse(fingerprint) };
}
