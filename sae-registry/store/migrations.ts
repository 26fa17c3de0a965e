import { existsSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import { storeInvalid } from './store-error.ts';

const here = dirname(fileURLToPath(import.meta.url));
/** Beside this file in a checkout, in the checkout's sae-registry/ when it runs from dist/. */
const folders = [join(here, 'migrations'), resolve(here, '../../../sae-registry/store/migrations')];

/** This version's migrations, in their order. */
export function knownMigrations(): MigrationMeta[] {
  const migrationsFolder = folders.find((folder) => existsSync(folder)) ?? join(here, 'migrations');
  return readMigrationFiles({ migrationsFolder });
}

/**
 * Applies what the file has not seen, all of it or nothing, and returns the path of the copy that was made before
 * (`<path>.before-<migrations>`), null where none was needed. Of several processes that open an old file at once one does
 * it and the others wait. Throws `store_invalid` for a file that a newer version or another program wrote.
 */
export async function applyMigrations(
  connection: Database.Database,
  path: string | null,
  known: readonly MigrationMeta[],
): Promise<string | null> {
  if (path !== null && missing(connection, path, known).length === 0) return null;
  connection.exec('BEGIN IMMEDIATE');
  try {
    // Read again under the lock: somebody may have been faster.
    const applied = appliedTimes(connection).length;
    const wanted = missing(connection, path, known);
    const copy = path !== null && applied > 0 && wanted.length > 0 ? await copyOf(path, known.length) : null;
    connection.exec(
      'CREATE TABLE IF NOT EXISTS __drizzle_migrations (id INTEGER PRIMARY KEY, hash text NOT NULL, created_at numeric)',
    );
    const note = connection.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)');
    for (const { sql, hash, folderMillis } of wanted) {
      for (const statement of sql) connection.exec(statement);
      note.run(hash, folderMillis);
    }
    connection.exec('COMMIT');
    return copy;
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    throw error;
  }
}

/** Known migrations that the file has not seen, by the times in which they were made. */
function missing(
  connection: Database.Database,
  path: string | null,
  known: readonly MigrationMeta[],
): readonly MigrationMeta[] {
  const applied = appliedTimes(connection);
  if (applied.some((time) => !known.some(({ folderMillis }) => folderMillis === time))) {
    throw storeInvalid(
      `${path} was written by a newer version of Tiller (${applied.length} migrations, this one knows ${known.length}).`,
    );
  }
  const tables = connection.prepare('select count(*) from sqlite_master').pluck().get();
  if (applied.length === 0 && tables !== 0) {
    throw storeInvalid(`${path} is a database of another program. Name another folder with --data-dir.`);
  }
  return known.filter(({ folderMillis }) => !applied.includes(folderMillis));
}

function appliedTimes(connection: Database.Database): number[] {
  const table = connection.prepare(`select 1 from sqlite_master where name = '__drizzle_migrations'`).get();
  if (table === undefined) return [];
  return connection.prepare('select created_at from __drizzle_migrations').pluck().all().map(Number);
}

/** Copied by a connection of its own, which sees what the writer that holds the lock began with. */
async function copyOf(path: string, migrations: number): Promise<string> {
  const copy = `${path}.before-${migrations}`;
  const reader = new Database(path, { readonly: true });
  try {
    await reader.backup(`${copy}.new`);
  } finally {
    reader.close();
  }
  renameSync(`${copy}.new`, copy);
  return copy;
}
