import { z } from 'zod';
import { addArtifact, findJob, type Store, type StoreDatabase, saveJob, writeStore } from '../store/index.ts';

/** Work of many requests that goes on where it was cut off. */
export interface LabellingJob extends JobDescription {
  /** Of everything that it makes: tells what it has made from what was there before. */
  readonly artifact: number;
  readonly total: number;
  /** How much of that is done. */
  done: number;
}

export interface JobDescription {
  readonly kind: 'label' | 'score';
  /** With all that makes it another job. */
  readonly key: string;
  /** For a person: the command and its settings. */
  readonly origin: string;
}

const cursorSchema = z.object({ artifact: z.int() });

/** What labelling does is in its source's jobs, so that they are forgotten with it. */
export function jobKey(source: number, settings: Readonly<Record<string, unknown>>): string {
  return `source:${source} ${JSON.stringify(settings)}`;
}

/** The artifact of the job of this key that was begun and did not end; null where there is none. */
export function unfinishedArtifact(store: Pick<Store, 'db'>, { kind, key }: JobDescription): number | null {
  const job = findJob(store, kind, key);
  const cursor = cursorSchema.safeParse(job?.cursor);
  return job !== null && job.state !== 'done' && cursor.success ? cursor.data.artifact : null;
}

/** Begins a job, or goes on with the unfinished one; `done` of `total` are done already. */
export function beginJob(store: Store, description: JobDescription, done: number, total: number): LabellingJob {
  return writeStore(store, (db) => {
    const { origin } = description;
    const artifact =
      unfinishedArtifact({ db }, description) ?? addArtifact({ db }, { kind: 'run', origin, hash: null, bytes: null });
    const job = { ...description, artifact, done, total };
    save({ db, connection: store.connection }, job, 'running');
    return job;
  });
}

/** `count` more are done; inside of the transaction that writes them. */
export function advanceJob(store: Writing, job: LabellingJob, count: number): void {
  job.done += count;
  save(store, job, 'running');
}

/**
 * Ends a job that went through: `made` things were made, some failed for `reasons`. It goes on when it is begun again, where that
 * may help: not where nothing failed, nor where nothing but failures came of it.
 */
export function endJob(store: Writing, job: LabellingJob, made: number, reasons: ReadonlyMap<string, number>): void {
  const error = reasons.size === 0 ? null : [...reasons.keys()].join(' ');
  save(store, job, reasons.size === 0 || made === 0 ? 'done' : 'failed', error);
}

/** Writes down that a job was given up; it goes on when it is begun again. */
export function failJob(store: Writing, job: LabellingJob, error: unknown): void {
  save(store, job, 'failed', error instanceof Error ? error.message : String(error));
}

type Writing = Pick<Store, 'connection'> & { readonly db: StoreDatabase };

function save(store: Writing, { kind, key, done, total, artifact }: LabellingJob, state: State, error?: string | null) {
  saveJob(store, { kind, key, state, done, total, cursor: { artifact }, error });
}

type State = 'running' | 'done' | 'failed';
