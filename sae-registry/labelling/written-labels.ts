import { and, eq, ne, or } from 'drizzle-orm';
import { type Store, writeStore } from '../store/index.ts';
import { labels } from '../store/schema.ts';
import { advanceJob, type LabellingJob } from './labelling-job.ts';

/** Who wrote a label, and how. */
export interface Authorship {
  readonly method: string;
  readonly author: string;
}

export interface WrittenLabel extends Authorship {
  readonly source: number;
  readonly feature: number;
  readonly text: string;
}

/**
 * Writes labels that a job made and counts them, in one transaction. `replace` takes this author's earlier labels of a feature, by this
 * method, away; without it one that is there stays and nothing is written. Returns how many were written.
 */
export function writeLabels(store: Store, job: LabellingJob, made: readonly WrittenLabel[], replace: boolean): number {
  return writeStore(store, (db) => {
    let written = 0;
    for (const label of made) {
      const theirs = and(
        eq(labels.source, label.source),
        eq(labels.feature, label.feature),
        eq(labels.method, label.method),
        eq(labels.author, label.author),
      );
      if (replace) db.delete(labels).where(theirs).run();
      else if (db.select({ id: labels.id }).from(labels).where(theirs).get()) continue;
      db.insert(labels)
        .values({ ...label, artifact: job.artifact })
        .run();
      written++;
    }
    advanceJob({ ...store, db }, job, made.length);
    return written;
  });
}

/** Features that an author has labelled by a method; with `artifact` only those that a job did. */
export function labelledBy({ db }: Store, source: number, by: Authorship, artifact?: number): Set<number> {
  const rows = db
    .selectDistinct({ feature: labels.feature })
    .from(labels)
    .where(
      and(
        eq(labels.source, source),
        eq(labels.method, by.method),
        eq(labels.author, by.author),
        artifact === undefined ? undefined : eq(labels.artifact, artifact),
      ),
    )
    .all();
  return new Set(rows.map(({ feature }) => feature));
}

/** Features that have a label of anybody else, or by another method. */
export function labelledByOthers({ db }: Store, source: number, { method, author }: Authorship): Set<number> {
  const rows = db
    .selectDistinct({ feature: labels.feature })
    .from(labels)
    .where(and(eq(labels.source, source), or(ne(labels.method, method), ne(labels.author, author))))
    .all();
  return new Set(rows.map(({ feature }) => feature));
}
