import type { Context } from 'hono';
import type { ClientPresence } from './cancel.ts';
import type { AppEnv } from './router.ts';

/** One server-sent event with the value as its JSON data. */
export function dataEvent(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The line that ends an OpenAI stream. */
export const doneEvent = 'data: [DONE]\n\n';

/** A comment: clients ignore it, proxies see that the connection lives. */
const keepAliveEvent = ': keep-alive\n\n';

export interface SseOptions {
  /** Event texts (`dataEvent`, `doneEvent`), in order. */
  readonly events: AsyncGenerator<string>;
  readonly presence: ClientPresence;
  /** Events that tell a failure after the stream has begun, in the dialect's shape. */
  readonly renderFailure: (error: unknown) => string;
  readonly keepAliveMilliseconds?: number;
  /** A reader that takes nothing for so long, while there is something for it, counts as gone. */
  readonly stallMilliseconds: number;
}

/**
 * Streams events as `text/event-stream`. What fails before the first event is thrown, so that it is answered with a proper
 * status; only a request that waits longer than the keep-alive interval begins its stream before that. A failure later on is
 * told inside the stream. The reader sets the pace; when it cancels, or takes nothing for too long, the client has gone
 * and the work stops. An event is asked for only once the one before it was taken, so this holds one at a time, and
 * Node one more with what its socket buffers (16 KiB).
 */
export async function sseResponse(c: Context<AppEnv>, options: SseOptions): Promise<Response> {
  const keepAliveMilliseconds = options.keepAliveMilliseconds ?? 15_000;
  let next: Promise<IteratorResult<string>> | null = options.events.next();
  await within(next, keepAliveMilliseconds);
  const encoder = new TextEncoder();
  let ended: (how: 'complete' | 'gone' | 'failed') => void = () => undefined;
  c.set(
    'streamEnded',
    new Promise((resolve) => {
      ended = resolve;
    }),
  );
  const leave = () => {
    options.presence.gone();
    ended('gone');
    // The generator's finally blocks run when its pending step has seen the abort.
    next?.catch(() => undefined);
    options.events.return(undefined).catch(() => undefined);
  };
  const reader = watchReader(options.stallMilliseconds, () => {
    leave();
    cutConnection(c);
  });
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader.asks();
        const write = (text: string) => controller.enqueue(encoder.encode(text));
        try {
          next ??= options.events.next();
          const result = await within(next, keepAliveMilliseconds);
          if (result !== null) next = null;
          if (!result?.done) {
            write(result === null ? keepAliveEvent : result.value);
            return reader.isServed();
          }
          options.presence.complete();
          ended('complete');
        } catch (error) {
          ended(options.presence.hasGone() ? 'gone' : 'failed');
          if (!options.presence.hasGone()) write(options.renderFailure(error));
          options.presence.complete();
        }
        reader.leaves();
        controller.close();
      },
      cancel() {
        reader.leaves();
        leave();
      },
    },
    { highWaterMark: 0 },
  );
  return c.body(body, 200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  });
}

/**
 * Calls `stalled`, once, when a reader that was served does not ask again for so many milliseconds (a quarter more at most,
 * for it is looked at four times in that time: a timer for every event would cost more than most events).
 */
function watchReader(milliseconds: number, stalled: () => void) {
  let servedAt: number | null = null;
  const timer = setInterval(() => {
    if (servedAt === null || performance.now() - servedAt < milliseconds) return;
    clearInterval(timer);
    stalled();
  }, milliseconds / 4);
  timer.unref();
  return {
    asks: () => {
      servedAt = null;
    },
    isServed: () => {
      servedAt = performance.now();
    },
    leaves: () => clearInterval(timer),
  };
}

/** Ends the connection under an answer that nobody reads; where there is none (in-process callers) there is nothing to end. */
function cutConnection(c: Context<AppEnv>): void {
  c.env?.outgoing?.destroy();
}

/** The promise's value, or null when it takes longer than the time given. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
    timer.unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
