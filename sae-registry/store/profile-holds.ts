import { hostname } from 'node:os';
import { and, eq, inArray } from 'drizzle-orm';
import { type Store, type StoreDatabase, writeStore } from './open-store.ts';
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
    const ended = holds(db).flatMap((hold) => (runs(hold) ? [] : [hold.holder]));
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
  const other = holds(db).find((hold) => hold.profile === profile && hold.holder !== holder && runs(hold));
  return other?.process ?? null;
}

type Row = typeof profileHolds.$inferSelect;

function holds(db: StoreDatabase): Row[] {
  return db.select().from(profileHolds).all();
}

/** Whether a process is still there. Of another machine that is not known, so it is. */
function runs({ process: id, host }: Row): boolean {
  if (host !== hostname()) return true;
  try {
    return process.kill(id, 0);
  } catch (error) {
    // somebody else's process may not be signalled, but it is there
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
