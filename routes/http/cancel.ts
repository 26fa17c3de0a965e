import type { Context } from 'hono';
import type { AppEnv } from './router.ts';

/** Whether somebody still waits for the answer. */
export interface ClientPresence {
  /** Aborted when the client has gone or `abort` was called: give it to the engine. */
  readonly signal: AbortSignal;
  /** Stops the work for another reason (a sibling choice failed, the stream was closed). Does not count as a lost client. */
  abort(): void;
  /** The client has gone: counts it once and stops the work. */
  gone(): void;
  hasGone(): boolean;
  /** The answer is complete; a connection that closes from now on is not a lost client. */
  complete(): void;
}

/** Waits for work that comes before the answer; where it is refused, nobody is lost when the connection closes. */
export async function whilePresent<T>(presence: ClientPresence, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    presence.complete();
    throw error;
  }
}

/**
 * Watches the connection of a request. Node's adapter aborts `c.req.raw.signal` when the connection closes before the answer
 * was written; a streamed body is also cancelled (http/sse.ts), whichever comes first.
 */
export function watchClient(c: Context<AppEnv>, onGone: () => void): ClientPresence {
  const controller = new AbortController();
  let settled = false;
  let lost = false;
  const gone = () => {
    if (settled) return;
    settled = true;
    lost = true;
    onGone();
    controller.abort();
  };
  const connection = c.req.raw.signal;
  if (connection.aborted) gone();
  else connection.addEventListener('abort', gone, { once: true });
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    gone,
    hasGone: () => lost,
    complete: () => {
      settled = true;
      connection.removeEventListener('abort', gone);
    },
  };
}
