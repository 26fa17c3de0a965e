import { and, eq } from 'drizzle-orm';
import type { Store, StoreDatabase } from './open-store.ts';
import { artifacts } from './schema.ts';

/** Where something came from. Never changed once it is written. */
export interface Artifact {
  readonly kind: (typeof artifacts.kind.enumValues)[number];
  /** A path, a Hub id with its revision, an address, a command with its settings. */
  readonly origin: string;
  /** sha256 of its bytes, hexadecimal; null of what is no file. */
  readonly hash: string | null;
  readonly bytes: number | null;
}

export interface KnownArtifact extends Artifact {
  readonly key: number;
  /** Unix milliseconds. */
  readonly addedAt: number;
}

/** The key of this artifact, which is written where no equal one is there: a file imported twice came from one place. */
export function addArtifact({ db }: { readonly db: StoreDatabase }, artifact: Artifact): number {
  const { kind, origin, hash, bytes } = artifact;
  if (hash !== null) {
    const same = and(eq(artifacts.kind, kind), eq(artifacts.origin, origin), eq(artifacts.hash, hash));
    const there = db.select({ id: artifacts.id }).from(artifacts).where(same).get();
    if (there) return there.id;
  }
  return db.insert(artifacts).values({ kind, origin, hash, bytes }).returning({ id: artifacts.id }).get().id;
}

/** The artifact with this key; null where there is none. */
export function findArtifact({ db }: Store, key: number): KnownArtifact | null {
  const row = db.select().from(artifacts).where(eq(artifacts.id, key)).get();
  if (!row) return null;
  const { id, ...artifact } = row;
  return { key: id, ...artifact };
}
