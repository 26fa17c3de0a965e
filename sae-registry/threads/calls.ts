import type { MessagePort } from 'node:worker_threads';
import { type ErrorCode, TillerError } from '../../engine/core/index.ts';

/** A thread's work by name. What goes in and out is copied between threads. */
export type Handlers = Readonly<Record<string, (input: never) => unknown>>;

export interface Call {
  readonly id: number;
  readonly op: string;
  readonly input: unknown;
}

/** What a failure is made of on its way between threads. */
interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param?: string;
  readonly suggestions: readonly string[];
  readonly retryAfterSeconds?: number;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure };

/** Asks a thread to end. */
export const ending = 'end';

/** What a thread does: its work by name, and how it lets go of what it holds when it is to end. */
export interface Work {
  readonly handlers: Handlers;
  close(): unknown;
}

/**
 * Answers calls one after the other, in the order in which they come, until it is asked to end: then the work is closed, calls that still
 * wait are not answered, and the port is closed.
 */
export function answerCalls(port: Pick<MessagePort, 'on' | 'postMessage' | 'close'>, { handlers, close }: Work): void {
  let last: Promise<void> = Promise.resolve();
  let ended = false;
  port.on('message', (call: Call | typeof ending) => {
    if (call === ending) {
      ended = true;
      void Promise.resolve(close()).finally(() => port.close());
      return;
    }
    last = last.then(async () => {
      if (!ended) port.postMessage(await answer(call, handlers));
    });
  });
}

async function answer({ id, op, input }: Call, handlers: Handlers): Promise<Answer> {
  try {
    const handler = handlers[op];
    if (!handler) throw new Error(`the thread knows no '${op}'`);
    return { id, value: await handler(input as never) };
  } catch (error) {
    return { id, failure: failureOf(error) };
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof TillerError) {
    const { code, message, param, suggestions, retryAfterSeconds } = error;
    return { code, message, param, suggestions, retryAfterSeconds };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', message, suggestions: [] };
}

export function errorOf({ code, message, ...details }: Failure): TillerError {
  return new TillerError(code, message, details);
}
