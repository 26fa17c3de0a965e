import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from './router.ts';

/** Requests may begin in the same turn of the event loop as long as no more time has gone by since the first of them. */
const sharedMilliseconds = 1;

/**
 * Requests that arrive together begin one by one, in order, with a turn of the event loop between: checking one takes about a
 * millisecond, and thirty-two at once would hold up every stream for as many.
 */
export function spreadRequests(
  now: () => number = () => performance.now(),
  nextTurn: (then: () => void) => void = setImmediate,
): MiddlewareHandler<AppEnv> {
  const waiting: (() => void)[] = [];
  /** When the first request of this turn began; null: none has. */
  let began: number | null = null;
  const turn = () => {
    const begin = waiting.shift();
    began = begin ? now() : null;
    if (!begin) return;
    nextTurn(turn);
    begin();
  };
  return async (_, next) => {
    if (began === null) {
      began = now();
      nextTurn(turn);
    } else if (waiting.length > 0 || now() - began >= sharedMilliseconds) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    await next();
  };
}
