import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { asc, desc, eq, inArray } from 'drizzle-orm';
import { z } from 'zod';
import { TillerError } from '../../engine/core/index.ts';
import { type Store, type StoreDatabase, writeStore } from './open-store.ts';
import { isRunning } from './process-alive.ts';
import { backgroundJobs } from './schema.ts';

export const jobStateNames = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobStateName = (typeof jobStateNames)[number];

const errorSchema = z.object({ code: z.string(), message: z.string() });

/** Work in the background that somebody asked for. */
export interface BackgroundJob {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  /** The kind's own business, to be checked by it. */
  readonly parameters: unknown;
  readonly state: JobStateName;
  /** Items done, and how many there are; null: not known. */
  readonly done: number;
  readonly total: number | null;
  /** What it came to, in the kind's words; null before it is done. */
  readonly summary: unknown;
  readonly error: z.infer<typeof errorSchema> | null;
  /** Somebody wants it to end. */
  readonly cancel: boolean;
  /** Unix milliseconds. */
  readonly addedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** Whoever runs jobs writes at least this often, in milliseconds; what was not written to for so long is nobody's. */
export const jobHeartbeat = { every: 5_000, staleAfter: 60_000 } as const;

/** Queues a job. */
export function addBackgroundJob(
  store: Store,
  job: Pick<BackgroundJob, 'kind' | 'model' | 'parameters' | 'total'> & { readonly id?: string },
): BackgroundJob {
  const now = Date.now();
  const values = { ...job, id: job.id ?? randomUUID(), state: 'queued' as const, addedAt: now, changedAt: now };
  return writeStore(store, (db) => toJob(db.insert(backgroundJobs).values(values).returning().get()));
}

/** Newest first. */
export function listBackgroundJobs({ db }: Store, state: JobStateName | null = null): readonly BackgroundJob[] {
  return db
    .select()
    .from(backgroundJobs)
    .where(state === null ? undefined : eq(backgroundJobs.state, state))
    .orderBy(desc(backgroundJobs.addedAt), desc(backgroundJobs.id))
    .all()
    .map(toJob);
}

/** Throws `job_not_found`. */
export function readBackgroundJob({ db }: Pick<Store, 'db'>, id: string): BackgroundJob {
  return toJob(rowOf(db, id));
}

/**
 * The job that `holder`, a service of this process, is to run next: the oldest that waits, or that was run by a process that has
 * ended; with `only` that one and no other. Of several that ask at once one gets it. Null: there is none.
 */
export function claimBackgroundJob(store: Store, holder: string, only: string | null = null): BackgroundJob | null {
  return writeStore(store, (db) => {
    const rows = db
      .select()
      .from(backgroundJobs)
      .where(inArray(backgroundJobs.state, ['queued', 'running']))
      .orderBy(asc(backgroundJobs.addedAt), asc(backgroundJobs.id))
      .all();
    const row = rows.find(
      (one) => (only === null || one.id === only) && (one.state === 'queued' || isAbandoned(one, holder)),
    );
    if (!row) return null;
    const now = Date.now();
    const claim = { state: 'running' as const, holder, process: process.pid, host: hostname(), changedAt: now };
    const startedAt = row.startedAt ?? now;
    return toJob(
      db
        .update(backgroundJobs)
        .set({ ...claim, startedAt })
        .where(eq(backgroundJobs.id, row.id))
        .returning()
        .get(),
    );
  });
}

/** Writes down how far a job has come, and says that whoever runs it is there. Says whether somebody wants it to end. */
export function noteBackgroundJob(
  store: Store,
  id: string,
  progress: { readonly done: number; readonly total: number | null },
): { readonly cancel: boolean } {
  return writeStore(store, (db) => {
    const row = db
      .update(backgroundJobs)
      .set({ ...progress, changedAt: Date.now() })
      .where(eq(backgroundJobs.id, id))
      .returning({ cancel: backgroundJobs.cancel })
      .get();
    return { cancel: row?.cancel ?? true };
  });
}

/** Ends a job's run; `queued` gives it back, to go on later. */
export function endBackgroundJob(
  store: Store,
  id: string,
  end: {
    readonly state: Exclude<JobStateName, 'running'>;
    readonly summary?: unknown;
    readonly error?: BackgroundJob['error'];
  },
): void {
  const { state, summary = null, error = null } = end;
  const now = Date.now();
  const endedAt = state === 'queued' ? null : now;
  const free = { holder: null, process: null, host: null };
  writeStore(store, (db) =>
    db
      .update(backgroundJobs)
      .set({ state, summary, error, endedAt, changedAt: now, ...free })
      .where(eq(backgroundJobs.id, id))
      .run(),
  );
}

/** Has a job end: at once where it waits or nobody runs it any more, else as soon as its runner sees it. Throws `job_not_found`. */
export function cancelBackgroundJob(store: Store, id: string): BackgroundJob {
  return writeStore(store, (db) => {
    const row = rowOf(db, id);
    if (row.state !== 'queued' && row.state !== 'running') return toJob(row);
    const over = row.state === 'queued' || isAbandoned(row, null);
    const now = Date.now();
    const changes = over
      ? { state: 'cancelled' as const, cancel: true, endedAt: now, changedAt: now }
      : { cancel: true };
    return toJob(db.update(backgroundJobs).set(changes).where(eq(backgroundJobs.id, id)).returning().get());
  });
}

/** Forgets a job. Throws `job_not_found`, and `in_use` for one that runs. */
export function removeBackgroundJob(store: Store, id: string): void {
  writeStore(store, (db) => {
    const row = rowOf(db, id);
    if (row.state === 'running' && !isAbandoned(row, null)) {
      throw new TillerError('in_use', `Job ${id} runs: cancel it first (POST /api/v1/jobs/${id}/cancel).`, {
        param: 'id',
      });
    }
    db.delete(backgroundJobs).where(eq(backgroundJobs.id, id)).run();
  });
}

type Row = typeof backgroundJobs.$inferSelect;

/** Whether nobody runs a running job any more. A process may have the number of one that ended: its services have other names. */
function isAbandoned({ holder, process: id, host, changedAt }: Row, own: string | null): boolean {
  if (id === null || host === null) return true;
  if (Date.now() - changedAt > jobHeartbeat.staleAfter) return true;
  if (own !== null && host === hostname() && id === process.pid) return holder !== own;
  return !isRunning({ process: id, host });
}

function rowOf(db: StoreDatabase, id: string): Row {
  const row = db.select().from(backgroundJobs).where(eq(backgroundJobs.id, id)).get();
  if (row) return row;
  const message = `There is no job '${id.slice(0, 100)}': GET /api/v1/jobs and tiller jobs list show those there are.`;
  throw new TillerError('job_not_found', message, { param: 'id' });
}

function toJob({
  holder: _holder,
  process: _process,
  host: _host,
  changedAt: _changedAt,
  error,
  ...job
}: Row): BackgroundJob {
  return { ...job, error: error === null ? null : errorSchema.parse(error) };
}
