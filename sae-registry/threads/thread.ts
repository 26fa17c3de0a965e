import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { TillerError } from '../../engine/core/index.ts';
import { type Answer, answerCalls, ending, errorOf, type Work } from './calls.ts';

/** What a thread is reached through: a worker, or a port to the same thread. */
export interface Port {
  postMessage(message: unknown): void;
  on(event: 'message' | 'error', listener: (value: unknown) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: TillerError) => void;
}

/**
 * Calls into a thread of its own, which starts with the first call and keeps the process alive only while it works. Where the
 * thread dies, the calls that it was at fail, and the next one gets a new thread.
 */
export class Thread {
  readonly #open: () => Port;
  readonly #most: number;
  readonly #waiting = new Map<number, Waiting>();
  #port: Port | null = null;
  #next = 0;
  #closed = false;

  /** @param most calls that may wait; more are refused with `queue_full` */
  constructor(open: () => Port, most = 256) {
    this.#open = open;
    this.#most = most;
  }

  /** @param T what the operation gives; the handlers' types say it */
  call<T>(op: string, input: unknown): Promise<T> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#waiting.size >= this.#most) return Promise.reject(full(this.#waiting.size));
    return new Promise<T>((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#port ??= this.#start();
      this.#port.ref();
      this.#port.postMessage({ id, op, input });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const port = this.#port;
    this.#port = null;
    this.#failAll(closed());
    await port?.terminate();
  }

  #start(): Port {
    const port = this.#open();
    port.on('message', (message) => {
      const answer = message as Answer;
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) port.unref();
      if ('value' in answer) waiting?.resolve(answer.value);
      else waiting?.reject(errorOf(answer.failure));
    });
    port.on('error', (error) => this.#lost(port, error));
    port.on('exit', () => this.#lost(port, null));
    return port;
  }

  #lost(port: Port, cause: unknown): void {
    if (this.#port !== port) return;
    this.#port = null;
    this.#failAll(new TillerError('internal', 'The thread that works on this ended; try again.', { cause }));
  }

  #failAll(error: TillerError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}

/**
 * Opens a thread that runs a module beside the caller's. From sources (tests), which Node cannot run in a thread, its handlers run
 * on the caller's thread instead.
 * @param caller `import.meta.url`
 * @param module file name without its ending
 * @param inline the same handlers, and how they are closed
 */
export function openThread(caller: string, module: string, workerData: unknown, inline: () => Work): Port {
  if (!caller.endsWith('.ts')) {
    return workerPort(new Worker(new URL(`./${module}.js`, caller), { workerData, name: module }));
  }
  const { port1, port2 } = new MessageChannel();
  const work = inline();
  answerCalls(port2, work);
  port2.unref();
  return Object.assign(port1, {
    terminate: async () => {
      port1.close();
      await work.close();
    },
  });
}

/** How long a thread may take to end by itself. */
const endingMilliseconds = 5000;

/**
 * A worker that is ended by asking, and stopped if it has not ended after so long: one that is stopped within ONNX Runtime takes the
 * process with it.
 */
export function workerPort(worker: Worker, waitMilliseconds = endingMilliseconds): Port {
  return {
    postMessage: (message) => worker.postMessage(message),
    on: (event: string, listener: (value: unknown) => void) => worker.on(event, listener),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    terminate: async () => {
      const gone = once(worker, 'exit').catch(() => undefined);
      worker.ref();
      worker.postMessage(ending);
      await Promise.race([gone, sleep(waitMilliseconds, undefined, { ref: false })]);
      await worker.terminate();
    },
  };
}

function full(waiting: number): TillerError {
  const message = `${waiting} searches are waiting already. Try again in a second.`;
  return new TillerError('queue_full', message, { retryAfterSeconds: 1 });
}

function closed(): TillerError {
  return new TillerError('draining', 'The service is shutting down.');
}
