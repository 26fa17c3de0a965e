import { setTimeout as sleep } from 'node:timers/promises';
import { TillerError } from '../../core/index.ts';
import { errorCode, rootMessage } from './describe.ts';

/**
 * Runs `work` while holding the lock of `path` (a folder `<path>.lock`, kept fresh while held), waiting as long as another
 * live process holds it. A lock that nobody has touched for `stale` milliseconds is taken over. `work` gets a signal that
 * fires when `signal` does or when the lock is lost (the machine slept, the folder was removed).
 */
export async function withFileLock<T>(
  path: string,
  options: {
    readonly stale: number;
    readonly poll: number;
    readonly signal?: AbortSignal;
    /** Called once if the lock is held by somebody else. */
    readonly onWait?: () => void;
  },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const held = new AbortController();
  const forward = () => held.abort(cancelled());
  if (options.signal?.aborted) forward();
  options.signal?.addEventListener('abort', forward, { once: true });
  try {
    const release = await acquire(path, options, held);
    try {
      return await work(held.signal);
    } finally {
      // A lost lock cannot be released; the loss has been reported through the signal.
      await release().catch((error: unknown) => {
        if (!held.signal.aborted) throw error;
      });
    }
  } finally {
    options.signal?.removeEventListener('abort', forward);
  }
}

async function acquire(
  path: string,
  options: Parameters<typeof withFileLock>[1],
  held: AbortController,
): Promise<() => Promise<void>> {
  // Loaded here because it installs exit handlers, which a start with a warm cache has no use for.
  const { lock } = await import('proper-lockfile');
  for (let waited = false; ; ) {
    held.signal.throwIfAborted();
    try {
      return await lock(path, {
        realpath: false,
        stale: options.stale,
        update: Math.floor(options.stale / 4),
        onCompromised: (error) =>
          held.abort(
            new TillerError(
              'model_unavailable',
              `The lock ${path}.lock was lost (${rootMessage(error)}); start again.`,
            ),
          ),
      });
    } catch (error) {
      if (errorCode(error) !== 'ELOCKED') throw error;
    }
    if (!waited) options.onWait?.();
    waited = true;
    await sleep(options.poll, undefined, { signal: held.signal }).catch(() => held.signal.throwIfAborted());
  }
}

export function cancelled(): TillerError {
  return new TillerError('cancelled', 'Cancelled before the model had arrived.');
}
