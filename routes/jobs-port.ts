/** The port's part for work in the background. */

/** What a contrast is told of a line besides its text (docs/contrast.md); nothing else takes it. */
export interface JobInputLabels {
  readonly class?: 'positive' | 'negative' | undefined;
  /** The two lines of a pair have the same. */
  readonly pair?: string | undefined;
  /** Lines of one topic are held out together. */
  readonly topic?: string | undefined;
  /** For positions `answer`. */
  readonly answer?: string | undefined;
}

/** One line of a data set. */
export type JobInputRequest = JobInputLabels &
  (
    | { readonly text: string }
    | { readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[] }
  );

export interface JobRequest {
  readonly kind: string;
  /** Null: the first model. */
  readonly model: string | null;
  /** As the kind takes them. */
  readonly parameters: unknown;
  /** Exactly one of `inputs` and `file`: the name of a file in the data directory's folder `datasets`. */
  readonly inputs: readonly JobInputRequest[] | null;
  readonly file: string | null;
}

export type JobStateView = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface JobView {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  readonly parameters: unknown;
  readonly state: JobStateView;
  readonly done: number;
  readonly total: number | null;
  readonly summary: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** It runs and is to end. */
  readonly cancelling: boolean;
  /** Unix milliseconds. */
  readonly addedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** Results so far: whole lines only. */
export interface JobResults {
  readonly contentType: string;
  readonly bytes: number;
  stream(): ReadableStream<Uint8Array>;
}

export interface JobService {
  /** What can be done, by name. */
  kinds(): readonly { readonly name: string; readonly summary: string }[];
  /**
   * Queues a job. Throws `invalid_request` with the field or the line at fault, `model_not_found`, `source_not_found`, and what loading the
   * model throws.
   */
  submit(request: JobRequest, signal: AbortSignal): Promise<JobView>;
  /** Newest first. */
  list(state: JobStateView | null): readonly JobView[];
  /** Throws `job_not_found`; so do those below. */
  get(id: string): JobView;
  /** Does nothing to one that has ended. */
  cancel(id: string): JobView;
  /** Forgets it, its files too. Throws `in_use` while it runs. */
  remove(id: string): void;
  /** Throws `invalid_request` for tensors where there are none. */
  results(id: string, format: 'jsonl' | 'safetensors'): Promise<JobResults>;
}
