import type { Store } from './open-store.ts';

/** What a job left to go on with; null where it left nothing. */
export function jobState({ connection }: Pick<Store, 'connection'>, kind: string, key: string): Buffer | null {
  const row = connection
    .prepare<unknown[], { state: Buffer }>('select state from job_states where kind = ? and key = ?')
    .get(kind, key);
  return row?.state ?? null;
}

/** Keeps it in place of what was there; null forgets it. Call it in the transaction that saves the job. */
export function saveJobState(
  { connection }: Pick<Store, 'connection'>,
  kind: string,
  key: string,
  state: Uint8Array | null,
): void {
  if (state === null) connection.prepare('delete from job_states where kind = ? and key = ?').run(kind, key);
  else
    connection.prepare('insert or replace into job_states (kind, key, state) values (?, ?, ?)').run(kind, key, state);
}
