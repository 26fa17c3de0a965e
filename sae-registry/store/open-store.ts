import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { TillerError } from '../../engine/core/index.ts';
import * as schema from './schema.ts';

const here = dirname(fileURLToPath(import.meta.url));
/** Beside this file in a checkout, in the checkout's sae-registry/ when it runs from dist/. */
const folders = [join(here, 'migrations'), resolve(here, '../../../sae-registry/store/migrations')];

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
 * `null` gives one in memory. Throws `store_invalid` for a file that is no store, is damaged, or was written by a newer version.
 */
export async function openStore(path: string | null): Promise<Store> {
  if (path !== null) mkdirSync(dirname(path), { recursive: true });
  const there = path !== null && existsSync(path);
  const connection = connect(path);
  try {
    const known = readMigrationFiles({ migrationsFolder: migrationsFolder() });
    const applied = appliedMigrations(connection);
    if (applied > known.length) {
      throw storeInvalid(
        `${path} was written by a newer version of Tiller (${applied} migrations, this one knows ${known.length}).`,
      );
    }
    const backup = there && applied < known.length ? `${path}.before-${known.length}` : null;
    if (backup !== null && applied > 0) await connection.backup(backup);
    const db = drizzle(connection, { schema });
    migrate(db, { migrationsFolder: migrationsFolder() });
    return { path, db, connection, backup: applied > 0 ? backup : null, close: () => connection.close() };
  } catch (error) {
    connection.close();
    throw asStoreError(error, path);
  }
}

function connect(path: string | null): Database.Database {
  try {
    const connection = new Database(path ?? ':memory:', { timeout: busyMilliseconds });
    connection.pragma('journal_mode = WAL');
    // Every acknowledged write is on disk before it is acknowledged, whatever kills the machine.
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    // What a write replaces leaves the indexes that triggers keep.
    connection.pragma('recursive_triggers = ON');
    return connection;
  } catch (error) {
    throw asStoreError(error, path);
  }
}

function migrationsFolder(): string {
  return folders.find((folder) => existsSync(folder)) ?? join(here, 'migrations');
}

function appliedMigrations(connection: Database.Database): number {
  const table = connection.prepare(`select 1 from sqlite_master where name = '__drizzle_migrations'`).get();
  if (table === undefined) return 0;
  return Number(connection.prepare('select count(*) from __drizzle_migrations').pluck().get());
}

function asStoreError(error: unknown, path: string | null): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  return storeInvalid(
    `${path ?? 'The store'} cannot be opened: ${error.message}. Restore a copy of it, or move it away to begin anew.`,
    error,
  );
}

function storeInvalid(message: string, cause?: unknown): TillerError {
  return new TillerError('store_invalid', message, { cause });
}
