import { setTimeout as sleep } from 'node:timers/promises';
import { TillerError } from './core/errors.ts';

/** Milliseconds after which one that found the queue full tries again. */
const tryAgainAfter = 100;

/**
 * Does something for each item, so many at once, in order. One that finds the queue full waits and tries again: others have it then. Ends
 * with the first failure, and aborts `left` so that what is underway ends too.
 */
export async function inParallel<Item>(
  items: readonly Item[],
  together: number,
  left: AbortController,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length && !left.signal.aborted) {
      const index = next++;
      await patiently(() => work(items[index] as Item, index), left.signal);
    }
  };
  const workers = Array.from({ length: Math.max(1, Math.min(together, items.length)) }, worker);
  try {
    await Promise.all(workers);
  } catch (error) {
    left.abort();
    await Promise.allSettled(workers);
    throw error;
  }
}

async function patiently(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      const full = error instanceof TillerError && error.code === 'queue_full';
      if (!full || signal.aborted) throw error;
      await sleep(tryAgainAfter);
    }
  }
}
