import { and, asc, eq, inArray } from 'drizzle-orm';
import { type Store, writeStore } from '../store/index.ts';
import { labelScores, labels, type ScoreCounts } from '../store/schema.ts';
import { advanceJob, type LabellingJob } from './labelling-job.ts';
import type { ScoreMethod } from './trial.ts';

/** A label to be scored. */
export interface ScoredLabel {
  readonly key: number;
  readonly feature: number;
  readonly text: string;
  readonly method: string;
  readonly author: string;
}

export interface WrittenScore {
  readonly label: number;
  readonly method: ScoreMethod;
  /** Who judged. */
  readonly author: string;
  /** Balanced accuracy. */
  readonly score: number;
  readonly judgements: number;
  readonly f1: number | null;
  readonly counts: ScoreCounts;
}

/** Which labels of a source; null: whatever theirs. */
export interface LabelFilter {
  readonly method: string | null;
  readonly author: string | null;
}

/** Labels by feature. */
export function storedLabels({ db }: Store, source: number, { method, author }: LabelFilter): ScoredLabel[] {
  return db
    .select({
      key: labels.id,
      feature: labels.feature,
      text: labels.text,
      method: labels.method,
      author: labels.author,
    })
    .from(labels)
    .where(
      and(
        eq(labels.source, source),
        method === null ? undefined : eq(labels.method, method),
        author === null ? undefined : eq(labels.author, author),
      ),
    )
    .orderBy(asc(labels.feature), asc(labels.id))
    .all();
}

/**
 * Writes a score, in place of this judge's earlier one by this method, and counts it for the job. Says whether it was written: a label that was
 * taken away meanwhile has no score.
 */
export function writeScore(store: Store, job: LabellingJob, written: WrittenScore): boolean {
  return writeStore(store, (db) => {
    const there = db.select({ id: labels.id }).from(labels).where(eq(labels.id, written.label)).get();
    if (!there) return false;
    const { score, judgements, f1, counts } = written;
    const replaced = { score, judgements, f1, counts, artifact: job.artifact };
    db.insert(labelScores)
      .values({ ...written, artifact: job.artifact })
      .onConflictDoUpdate({ target: [labelScores.label, labelScores.method, labelScores.author], set: replaced })
      .run();
    advanceJob({ ...store, db }, job, 1);
    return true;
  });
}

/** Labels of a source that a judge has scored, as `label method`; with `artifact` only those that a job did. */
export function scoredBy({ db }: Store, source: number, author: string, artifact?: number): Set<string> {
  const ofSource = db.select({ id: labels.id }).from(labels).where(eq(labels.source, source));
  const rows = db
    .select({ label: labelScores.label, method: labelScores.method })
    .from(labelScores)
    .where(
      and(
        inArray(labelScores.label, ofSource),
        eq(labelScores.author, author),
        artifact === undefined ? undefined : eq(labelScores.artifact, artifact),
      ),
    )
    .all();
  return new Set(rows.map(({ label, method }) => `${label} ${method}`));
}
