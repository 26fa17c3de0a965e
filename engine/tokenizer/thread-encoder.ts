import { Worker } from 'node:worker_threads';
import { type PromptEncoder, type PromptEncoding, TillerError, type Tokenizer } from '../core/index.ts';

/**
 * Longest text, in UTF-8 bytes, that is encoded where the event loop runs: 1 to 4 ms, from prose to Chinese (measured on two
 * cores of an Epyc; what the library has seen before takes a tenth). A trip to the thread and back costs 0.2 ms.
 */
export const longestInline = 2048;

const workerFile = new URL('./encode-worker.js', import.meta.url);

/** Encodes one text; the thread, or what a test puts in its place. */
export interface EncodingThread {
  postMessage(job: { readonly text: string; readonly addSpecialTokens: boolean }): void;
  on(event: 'message' | 'error', listener: (value: unknown) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

interface Job {
  readonly text: string;
  readonly addSpecialTokens: boolean;
  readonly resolve: (tokenIds: Int32Array) => void;
  readonly reject: (error: TillerError) => void;
}

/**
 * Encodes short texts at once and long ones, in the order they come, on a thread with a tokenizer of its own. The thread
 * starts with the first long text, which waits some 0.3 s for it (it takes about 80 MB, which nobody pays who sends none), and
 * keeps the process alive only while it encodes. A thread that dies fails the text it was at; the next text gets a new one.
 */
export class ThreadEncoder implements PromptEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #start: () => EncodingThread;
  readonly #waiting: Job[] = [];
  #thread: EncodingThread | null = null;
  #current: Job | null = null;
  #closed = false;

  /** @param source JSON of what encode-worker.js builds its tokenizer from, tens of megabytes; asked for where a thread starts */
  constructor(
    tokenizer: Tokenizer,
    source: () => string,
    start: () => EncodingThread = () => new Worker(workerFile, { workerData: source(), name: 'tokenizer' }),
  ) {
    this.#tokenizer = tokenizer;
    this.#start = start;
  }

  async encode(text: string, { addSpecialTokens, signal }: PromptEncoding): Promise<Int32Array> {
    if (Buffer.byteLength(text) <= longestInline) return this.#tokenizer.encode(text, { addSpecialTokens });
    if (this.#closed) throw new TillerError('draining', 'The model was unloaded: no text is encoded any more.');
    if (signal?.aborted) throw cancelled();
    return new Promise((resolve, reject) => {
      const job: Job = { text, addSpecialTokens, resolve, reject };
      signal?.addEventListener('abort', () => this.#forget(job), { once: true });
      this.#waiting.push(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const thread = this.#thread;
    this.#thread = null;
    const jobs = [...(this.#current ? [this.#current] : []), ...this.#waiting.splice(0)];
    this.#current = null;
    for (const job of jobs)
      job.reject(new TillerError('draining', 'The model was unloaded before the text was encoded.'));
    await thread?.terminate();
  }

  #next(): void {
    if (this.#current || this.#closed) return;
    const job = this.#waiting.shift();
    if (!job) return;
    this.#current = job;
    this.#thread ??= this.#open();
    this.#thread.ref();
    this.#thread.postMessage({ text: job.text, addSpecialTokens: job.addSpecialTokens });
  }

  #open(): EncodingThread {
    const thread = this.#start();
    thread.on('message', (answer) => {
      const { tokenIds, failure } = answer as { readonly tokenIds?: Int32Array; readonly failure?: string };
      const job = this.#current;
      this.#current = null;
      thread.unref();
      if (tokenIds) job?.resolve(tokenIds);
      else job?.reject(new TillerError('internal', `The tokenizer could not encode the text: ${failure}`));
      this.#next();
    });
    thread.on('error', (error) => this.#lost(thread, error));
    thread.on('exit', () => this.#lost(thread, null));
    return thread;
  }

  #lost(thread: EncodingThread, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const job = this.#current;
    this.#current = null;
    job?.reject(new TillerError('internal', 'The thread that encodes long texts ended; try again.', { cause }));
    this.#next();
  }

  /** Takes the job out of the queue; one that the thread is at runs on, for nobody. */
  #forget(job: Job): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
    job.reject(cancelled());
  }
}

function cancelled(): TillerError {
  return new TillerError('cancelled', 'The request was cancelled by its caller.');
}
