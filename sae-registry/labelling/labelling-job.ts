import { and, eq, ne, sql } from 'drizzle-orm';
import { z } from 'zod';
import { addArtifact, type Store, type StoreDatabase, writeStore } from '../store/index.ts';
import { jobs } from '../store/schema.ts';

/** Work of many requests that goes on where it was cut off. */
export interface LabellingJob {
  readonly row: number;
  /** Of everything that it makes: tells what it has made from what was there before. */
  readonly artifact: number;
  /** It was begun before, and did not end. */
  readonly resumed: boolean;
}

export interface JobDescription {
  readonly kind: 'label' | 'score';
  /** With all that makes it another job. */
  readonly key: string;
  /** For a person: the command and its settings. */
  readonly origin: string;
}

const cursorSchema = z.object({ artifact: z.int() });

/** The job of this key that was begun and did not end; null where there is none. */
export function unfinishedJob({ db }: Pick<Store, 'db'>, { kind, key }: JobDescription): LabellingJob | null {
  const which = and(eq(jobs.kind, kind), eq(jobs.key, key), ne(jobs.state, 'done'));
  const row = db.select({ id: jobs.id, cursor: jobs.cursor }).from(jobs).where(which).get();
  const cursor = cursorSchema.safeParse(row?.cursor);
  return row && cursor.success ? { row: row.id, artifact: cursor.data.artifact, resumed: true } : null;
}

/** Begins a job, or goes on with the unfinished one; `done` of `total` are done already. */
export function beginJob(store: Store, job: JobDescription, done: number, total: number): LabellingJob {
  return writeStore(store, (db) => {
    const begun = { state: 'running' as const, done, total, error: null, changedAt: now };
    const before = unfinishedJob({ db }, job);
    if (before) {
      db.update(jobs).set(begun).where(eq(jobs.id, before.row)).run();
      return before;
    }
    const { kind, key, origin } = job;
    const artifact = addArtifact({ db }, { kind: 'run', origin, hash: null, bytes: null });
    const row = db
      .insert(jobs)
      .values({ kind, key, ...begun, cursor: { artifact } })
      .onConflictDoUpdate({ target: [jobs.kind, jobs.key], set: { ...begun, cursor: { artifact } } })
      .returning({ id: jobs.id })
      .get();
    return { row: row.id, artifact, resumed: false };
  });
}

/** `count` more are done; inside of the transaction that writes them. */
export function advanceJob(db: StoreDatabase, job: LabellingJob, count: number): void {
  db.update(jobs)
    .set({ done: sql`${jobs.done} + ${count}`, changedAt: now })
    .where(eq(jobs.id, job.row))
    .run();
}

/** Ends it; one that failed goes on when it is begun again. */
export function endJob({ db }: Store, job: LabellingJob, error: string | null): void {
  db.update(jobs)
    .set({ state: error === null ? 'done' : 'failed', error, changedAt: now })
    .where(eq(jobs.id, job.row))
    .run();
}

const now = sql`(unixepoch() * 1000)`;
