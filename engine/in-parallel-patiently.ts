import { setTimeout as sleep } from 'node:timers/promises';
import { TillerError } from './core/errors.ts';
import { inParallel } from './core/in-parallel.ts';

/** Milliseconds after which one that found the queue full tries again. */
const tryAgainAfter = 100;

/**
 * As `inParallel`, for work with the engine: one that finds the queue full waits and tries again, for others have it then. The first failure
 * aborts `left`, so that what is underway ends too.
 */
export function inParallelPatiently<Item>(
  items: readonly Item[],
  together: number,
  left: AbortController,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  return inParallel([...items.entries()], together, async ([index, item]) => {
    try {
      await patiently(() => work(item, index), left.signal);
    } catch (error) {
      left.abort();
      throw error;
    }
  });
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
