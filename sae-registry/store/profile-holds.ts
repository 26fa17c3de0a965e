import { hostname } from 'node:os';
import { and, eq, inArray } from 'drizzle-orm';
import { type Store, type StoreDatabase, writeStore } from './open-store.ts';
import { isRunning } from './process-alive.ts';
import { profileHolds } from './schema.ts';

/** A service that steers by a profile until it is told otherwise or ends. */
export interface ProfileHold {
  /** Which service, in whatever process. */
  readonly holder: string;
  readonly model: string;
  /** Row of the profile. */
  readonly profile: number;
}

/**
 * Writes down what a service has as a model's default, in place of what it had; a profile of null: nothing any more. What
 * processes of this machine left behind that have ended is taken away.
 */
export function holdProfile(
  store: Store,
  { holder, model, profile }: Omit<ProfileHold, 'profile'> & { readonly profile: number | null },
): void {
  writeStore(store, (db) => {
    const ended = holds(db).flatMap((hold) => (isRunning(hold) ? [] : [hold.holder]));
    if (ended.length > 0) db.delete(profileHolds).where(inArray(profileHolds.holder, ended)).run();
    db.delete(profileHolds)
      .where(and(eq(profileHolds.holder, holder), eq(profileHolds.model, model)))
      .run();
    if (profile === null) return;
    db.insert(profileHolds).values({ holder, model, profile, process: process.pid, host: hostname() }).run();
  });
}

/** The process of another service that has the profile as its default; null where none has. */
export function heldElsewhere({ db }: Store, profile: number, holder: string | null): number | null {
  const other = holds(db).find((hold) => hold.profile === profile && hold.holder !== holder && isRunning(hold));
  return other?.process ?? null;
}

function holds(db: StoreDatabase): (typeof profileHolds.$inferSelect)[] {
  return db.select().from(profileHolds).all();
}
