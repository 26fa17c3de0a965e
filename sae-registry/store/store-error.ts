import Database from 'better-sqlite3';
import { TillerError } from '../../engine/core/index.ts';

/** The registry's file cannot be used: it is damaged, no store, newer than this version, or out of reach. */
export function storeInvalid(message: string, cause?: unknown): TillerError {
  return new TillerError('store_invalid', message, { cause });
}

/** What SQLite or the file system says of a store's file, as `store_invalid`; anything else as it is. */
export function asStoreError(error: unknown, path: string | null): unknown {
  const file = path ?? 'The store';
  if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
    return storeInvalid(`${file} is being written by another process for too long. Try again.`, error);
  }
  if (error instanceof Database.SqliteError) {
    const wayOut = 'Restore a copy of it, or move it away to begin anew.';
    return storeInvalid(`${file} cannot be opened: ${error.message}. ${wayOut}`, error);
  }
  if (error instanceof Error && 'syscall' in error) {
    return storeInvalid(`${file} cannot be written: ${error.message}. Name another folder with --data-dir.`, error);
  }
  return error;
}
