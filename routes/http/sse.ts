import type { Context } from 'hono';
import type { ClientPresence } from './cancel.ts';
import type { AppEnv } from './router.ts';

/** One server-sent event with the value as its JSON data. */
export function dataEvent(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** As `dataEvent`, for events whose JSON begins with the same fields: those are rendered once. */
export function dataEventsWith(head: Readonly<Record<string, unknown>>): (rest: object) => string {
  const begin = `data: ${JSON.stringify(head).slice(0, -1)},`;
  return (rest) => `${begin}${JSON.stringify(rest).slice(1)}\n\n`;
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
  const patience = createPatience(options.keepAliveMilliseconds ?? 15_000);
  let next: Promise<IteratorResult<string>> | null = options.events.next();
  try {
    await patience.await(next);
  } catch (error) {
    patience.ends();
    throw error;
  }
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
    patience.ends();
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
        // from Node's pool of small buffers: TextEncoder makes an ArrayBuffer for each
        const write = (text: string) => controller.enqueue(Buffer.from(text));
        try {
          next ??= options.events.next();
          const result = await patience.await(next);
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
        patience.ends();
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

/**
 * Awaits one promise after another, each for so long: null when it takes longer. One timer serves them all: one for every
 * event would cost more than most events.
 */
function createPatience(milliseconds: number) {
  let giveUp: () => void = () => undefined;
  let over = false;
  const timer = setTimeout(() => giveUp(), milliseconds);
  timer.unref();
  return {
    await: <T>(promise: Promise<T>): Promise<T | null> =>
      new Promise((resolve, reject) => {
        giveUp = () => resolve(null);
        if (!over) timer.refresh();
        promise.then(resolve, reject);
      }),
    ends: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}
