import { and, eq, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Store, StoreDatabase } from '../store/open-store.ts';
import { artifacts, jobs } from '../store/schema.ts';

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

/** Begins a job, or goes on with the one of this key that did not end. */
export function beginJob({ db }: Store, { kind, key, origin }: JobDescription): LabellingJob {
  return db.transaction(
    (transaction) => {
      const which = and(eq(jobs.kind, kind), eq(jobs.key, key));
      const before = transaction.select().from(jobs).where(which).get();
      const cursor = cursorSchema.safeParse(before?.cursor);
      if (before && before.state !== 'done' && cursor.success) {
        transaction
          .update(jobs)
          .set({ state: 'running', error: null, changedAt: now })
          .where(eq(jobs.id, before.id))
          .run();
        return { row: before.id, artifact: cursor.data.artifact, resumed: true };
      }
      const artifact = Number(transaction.insert(artifacts).values({ kind: 'run', origin }).run().lastInsertRowid);
      const begun = {
        state: 'running' as const,
        done: 0,
        total: null,
        cursor: { artifact },
        error: null,
        changedAt: now,
      };
      const row = transaction
        .insert(jobs)
        .values({ kind, key, ...begun })
        .onConflictDoUpdate({ target: [jobs.kind, jobs.key], set: begun })
        .returning({ id: jobs.id })
        .get();
      return { row: row.id, artifact, resumed: false };
    },
    { behavior: 'immediate' },
  );
}

/** Says how much there is to do in all, what is done already included. */
export function setJobTotal({ db }: Store, job: LabellingJob, done: number, total: number): void {
  db.update(jobs).set({ done, total, changedAt: now }).where(eq(jobs.id, job.row)).run();
}

/** One more is done; inside of the transaction that writes it. */
export function advanceJob(transaction: Pick<StoreDatabase, 'update'>, job: LabellingJob): void {
  transaction
    .update(jobs)
    .set({ done: sql`${jobs.done} + 1`, changedAt: now })
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

const now = sql`(unixepoch('subsec') * 1000)`;
