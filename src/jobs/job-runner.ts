import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { asTillerError, type ErrorCode, TillerError } from '../../engine/core/index.ts';
import {
  type BackgroundJob,
  claimBackgroundJob,
  endBackgroundJob,
  jobHeartbeat,
  noteBackgroundJob,
  readBackgroundJob,
  type Store,
} from '../../sae-registry/index.ts';
import { JobFolder } from './job-folder.ts';
import type { JobItem, JobKind, JobModel, JobRun } from './job-kind.ts';
import { defaultShare, mayRun, type Traffic } from './yield-policy.ts';

export interface JobRunnerOptions {
  readonly store: Store;
  /** The folder of all jobs. */
  readonly folder: string;
  readonly kinds: readonly JobKind[];
  /** What the model's engine has to do now; null where it is not loaded. */
  readonly traffic: (model: string) => Traffic | null;
  /** The model, loaded if it is not, until it is released. */
  readonly lease: (model: string, signal: AbortSignal) => Promise<{ readonly model: JobModel; release(): void }>;
  /** Share of the rows that may be busy beside a job. */
  readonly share?: number;
  /** Told of a job that failed for a reason of ours. */
  readonly onFailure?: (job: BackgroundJob, error: TillerError) => void;
  readonly pollMilliseconds?: number;
}

/** What is wrong with one item alone: it becomes that item's line. */
const itemErrors: readonly ErrorCode[] = [
  'invalid_request',
  'unsupported',
  'context_length_exceeded',
  'edit_not_applicable',
];
/** What passes: tried again. */
const passing: readonly ErrorCode[] = ['queue_full', 'queue_timeout', 'not_ready', 'model_unavailable', 'model_busy'];
const attempts = 5;

/**
 * Runs the store's jobs one after the other, oldest first, an item at a time, and only while those who wait for answers leave room. What
 * is done is in the job's file of results before the next item begins: killed at any moment, a job goes on with the next item.
 */
export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #holder = randomUUID();
  readonly #stop = new AbortController();
  #current: { readonly id: string; readonly cancel: AbortController } | null = null;
  #loop: Promise<void> | null = null;
  #woken: () => void = () => {};

  constructor(options: JobRunnerOptions) {
    this.#options = options;
  }

  /** Begins to take jobs; those that an ended process has left behind too. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** There may be a job. */
  wake(): void {
    this.#woken();
  }

  /** Ends the job at once where this runner has it. */
  cancel(id: string): void {
    if (this.#current?.id === id) this.#current.cancel.abort(new TillerError('cancelled', 'The job was cancelled.'));
  }

  /**
   * Does this job and no other, or waits until whoever has it is done: whichever comes first. Where `signal` aborts the job goes back to
   * the queue. Returns it as it has ended, or as it was left.
   */
  async finish(id: string, signal: AbortSignal): Promise<BackgroundJob> {
    const { store, pollMilliseconds = 2_000 } = this.#options;
    const stop = () => void this.stop();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      for (;;) {
        const job = this.#stop.signal.aborted ? null : claimBackgroundJob(store, this.#holder, id);
        if (job) await this.#work(job);
        const now = readBackgroundJob(store, id);
        if (this.#stop.signal.aborted || (now.state !== 'queued' && now.state !== 'running')) return now;
        await this.#wait(pollMilliseconds);
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Gives the job in hand back to the queue and takes no other. */
  async stop(): Promise<void> {
    this.#stop.abort(new TillerError('draining', 'The service shuts down.'));
    this.#woken();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { store, pollMilliseconds = 2_000 } = this.#options;
    while (!this.#stop.signal.aborted) {
      const job = claimBackgroundJob(store, this.#holder);
      if (job) await this.#work(job);
      else await this.#wait(pollMilliseconds);
    }
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds).unref();
      this.#woken = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #work(job: BackgroundJob): Promise<void> {
    const { store, onFailure } = this.#options;
    const cancel = new AbortController();
    this.#current = { id: job.id, cancel };
    const signal = AbortSignal.any([cancel.signal, this.#stop.signal]);
    const progress = { done: job.done, total: job.total };
    const note = () => {
      if (noteBackgroundJob(store, job.id, progress).cancel) this.cancel(job.id);
    };
    const heartbeat = setInterval(note, Math.min(1_000, jobHeartbeat.every)).unref();
    try {
      const summary = await this.#items(job, progress, note, signal);
      endBackgroundJob(store, job.id, { state: 'done', summary });
    } catch (thrown) {
      const error = asTillerError(thrown);
      note();
      if (cancel.signal.aborted) endBackgroundJob(store, job.id, { state: 'cancelled' });
      else if (this.#stop.signal.aborted) endBackgroundJob(store, job.id, { state: 'queued' });
      else {
        endBackgroundJob(store, job.id, { state: 'failed', error: { code: error.code, message: error.message } });
        onFailure?.(job, error);
      }
    } finally {
      clearInterval(heartbeat);
      this.#current = null;
    }
  }

  /** Runs what has not been done, and says what it all came to. */
  async #items(
    job: BackgroundJob,
    progress: { done: number; total: number | null },
    note: () => void,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { folder, kinds } = this.#options;
    const kind = kinds.find(({ name }) => name === job.kind);
    if (!kind) throw new TillerError('unsupported', `This version knows no jobs of the kind '${job.kind}'.`);
    const files = new JobFolder(folder, job.id);
    const done = await files.recover();
    progress.done = done.size;
    const work = kind.open(job.parameters, this.#runOf(job, files, signal));
    progress.total = work.total;
    note();
    for await (const item of work.items) {
      signal.throwIfAborted();
      if (done.has(item.key)) continue;
      await files.append(item.key, await this.#attempt(item, signal));
      progress.done++;
    }
    signal.throwIfAborted();
    note();
    if (!work.finish) return null;
    return work.finish({ lines: () => files.told(), tensorsPath: files.tensors });
  }

  /** The item's line: what it gives, or what is wrong with it. What passes is tried again. */
  async #attempt(item: JobItem, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await item.run();
      } catch (thrown) {
        signal.throwIfAborted();
        const { code, message } = asTillerError(thrown);
        if (itemErrors.includes(code)) return { error: { code, message } };
        if (attempt >= attempts || !passing.includes(code)) throw thrown;
        await sleep(2 ** attempt * 250, undefined, { signal });
      }
    }
  }

  #runOf(job: BackgroundJob, files: JobFolder, signal: AbortSignal): JobRun {
    const { lease } = this.#options;
    const pause = () => this.#pause(job.model, signal);
    return {
      id: job.id,
      inputs: () => files.lines(),
      inputsPath: files.inputs,
      inputCount: job.total ?? 0,
      pause,
      async use(work) {
        await pause();
        const { model, release } = await lease(job.model, signal);
        try {
          return await work(model);
        } finally {
          release();
        }
      },
      signal,
    };
  }

  async #pause(model: string, signal: AbortSignal): Promise<void> {
    const { traffic, share = defaultShare } = this.#options;
    for (let wait = 20; ; wait = Math.min(500, wait * 2)) {
      signal.throwIfAborted();
      const now = traffic(model);
      if (now === null || mayRun(now, share)) return;
      await sleep(wait, undefined, { signal });
    }
  }
}
