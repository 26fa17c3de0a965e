import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3';
import { applyMigrations, knownMigrations } from './migrations.ts';
import * as schema from './schema.ts';
import { asStoreError } from './store-error.ts';

/** How long a writer waits for another process's. */
const busyMilliseconds = 10_000;

export type StoreDatabase = BetterSQLite3Database<typeof schema>;

/** The registry's memory: one SQLite file. Several processes may hold it open; each write is one transaction. */
export interface Store {
  /** Null of a store in memory. */
  readonly path: string | null;
  readonly db: StoreDatabase;
  /** The connection behind `db`, for what drizzle has no words for. */
  readonly connection: Database.Database;
  /** The copy that was made before migrations were applied; null where none was needed. */
  readonly backup: string | null;
  close(): void;
}

/**
 * Opens the store and brings it to this version's schema; a file that is there is copied first (`<path>.before-<migrations>`).
 * `null` gives one in memory. Throws `store_invalid` for a file that is no store, is damaged, cannot be written, or was
 * written by a newer version.
 */
export async function openStore(path: string | null): Promise<Store> {
  const connection = connect(path);
  try {
    const backup = await applyMigrations(connection, path, knownMigrations());
    return { path, db: drizzle(connection, { schema }), connection, backup, close: () => connection.close() };
  } catch (error) {
    connection.close();
    throw asStoreError(error, path);
  }
}

/**
 * Runs `work` as one transaction that has the right to write from its beginning: one that begins by reading could not wait for
 * another process's write (SQLITE_BUSY_SNAPSHOT). Inside another it is a part of that one.
 */
export function writeStore<T>({ connection, db }: Pick<Store, 'connection' | 'db'>, work: (db: StoreDatabase) => T): T {
  return connection.transaction(() => work(db)).immediate();
}

/**
 * `writeStore` for a piece of work that is done again where it is lost, as an import's: the system takes it, so that no end of this
 * process loses it, but its end does not wait for the disk. If the machine dies, this piece and those after it may be missing, never
 * one before them; the next `writeStore` brings them to the disk with it. Inside another transaction it is a part of that one.
 */
export function writeRepeatable<T>(store: Pick<Store, 'connection' | 'db'>, work: (db: StoreDatabase) => T): T {
  const { connection } = store;
  if (connection.inTransaction) return writeStore(store, work);
  connection.pragma('synchronous = NORMAL');
  try {
    return writeStore(store, work);
  } finally {
    connection.pragma('synchronous = FULL');
  }
}

function connect(path: string | null): Database.Database {
  let connection: Database.Database | null = null;
  try {
    if (path !== null) mkdirSync(dirname(path), { recursive: true });
    connection = new Database(path ?? ':memory:', { timeout: busyMilliseconds });
    connection.pragma('journal_mode = WAL');
    // Every acknowledged write is on disk before it is acknowledged, whatever kills the machine.
    connection.pragma('synchronous = FULL');
    // 16 MB: an import would else wait for the disk at every fourth piece.
    connection.pragma('wal_autocheckpoint = 4000');
    connection.pragma('foreign_keys = ON');
    // What a write replaces leaves the indexes that triggers keep.
    connection.pragma('recursive_triggers = ON');
    return connection;
  } catch (error) {
    connection?.close();
    throw asStoreError(error, path);
  }
}
