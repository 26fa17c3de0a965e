import { and, eq } from 'drizzle-orm';
import { type Store, writeStore } from './open-store.ts';
import { jobs } from './schema.ts';

/** Long work that goes on where it was cut off. */
export interface Job {
  readonly kind: string;
  /** What it works on; begins with `source:<key> ` where it belongs to one source, and is forgotten with it. */
  readonly key: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly done: number;
  readonly total: number | null;
  /** Where it goes on; the job's own business, to be checked by it. */
  readonly cursor: unknown;
  readonly error: string | null;
}

/** The job of this kind on this; null where it was never begun. */
export function findJob({ db }: Pick<Store, 'db'>, kind: string, key: string): Job | null {
  const row = db
    .select()
    .from(jobs)
    .where(and(eq(jobs.kind, kind), eq(jobs.key, key)))
    .get();
  if (!row) return null;
  const { id: _id, addedAt: _addedAt, changedAt: _changedAt, ...job } = row;
  return job;
}

/**
 * Writes down how far a job has come; call it in the same transaction as the work (`writeStore`), so that neither is there
 * without the other. `error` is null but of a failed one.
 */
export function saveJob(
  store: Pick<Store, 'db' | 'connection'>,
  job: Omit<Job, 'error'> & { error?: string | null },
): void {
  const values = { ...job, cursor: job.cursor ?? null, error: job.error ?? null, changedAt: Date.now() };
  writeStore(store, (db) => {
    db.insert(jobs)
      .values(values)
      .onConflictDoUpdate({ target: [jobs.kind, jobs.key], set: values })
      .run();
  });
}
