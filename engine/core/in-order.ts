import { setMaxListeners } from 'node:events';

/**
 * Works on items, so many at once, and gives results in the order of the items, each as soon as it and those before it are there. The
 * first failure ends it. Leaving the iteration, and a failure, abort the signal that `work` is given.
 */
export async function* inOrder<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  options: { readonly together: number; readonly signal: AbortSignal | null },
  work: (item: Item, signal: AbortSignal, index: number) => Promise<Result>,
): AsyncGenerator<Result> {
  const left = new AbortController();
  const signal = options.signal === null ? left.signal : AbortSignal.any([options.signal, left.signal]);
  // each of the requests under way listens to it
  setMaxListeners(0, signal);
  const underway: Promise<Result>[] = [];
  let count = 0;
  try {
    for await (const item of items) {
      const result = work(item, signal, count++);
      // whoever waits for an earlier one that fails must not leave this one's failure unheard
      result.catch(() => undefined);
      underway.push(result);
      if (underway.length >= Math.max(1, options.together)) yield await (underway.shift() as Promise<Result>);
    }
    while (underway.length > 0) yield await (underway.shift() as Promise<Result>);
  } finally {
    left.abort();
  }
}
