/** A value and which of the sources it came from. */
export interface Merged<T> {
  readonly index: number;
  readonly value: T;
}

/**
 * Several async iterables as one, in the order in which their values arrive; no source can starve another. The first failure
 * ends it. Leaving early closes every source.
 */
export function mergeByArrival<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<Merged<T>> {
  const [only] = sources;
  return only && sources.length === 1 ? alone(only) : merge(sources);
}

/** What most answers have is one source, which nothing arrives beside. */
async function* alone<T>(source: AsyncIterable<T>): AsyncGenerator<Merged<T>> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await iterator.next();
      if (result.done) return;
      yield { index: 0, value: result.value };
    }
  } finally {
    closeAll([iterator]);
  }
}

async function* merge<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<Merged<T>> {
  type Arrival =
    | { readonly index: number; readonly result: IteratorResult<T> }
    | { readonly index: number; readonly error: unknown };
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const arrivals: Arrival[] = [];
  let wake: () => void = () => undefined;
  const arrive = (arrival: Arrival) => {
    arrivals.push(arrival);
    wake();
  };
  const pull = (index: number) => {
    iterators[index]?.next().then(
      (result) => arrive({ index, result }),
      (error: unknown) => arrive({ index, error }),
    );
  };
  iterators.forEach((_, index) => {
    pull(index);
  });
  let open = iterators.length;
  try {
    while (open > 0) {
      const arrival = arrivals.shift();
      if (!arrival) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if ('error' in arrival) throw arrival.error;
      if (arrival.result.done) {
        open--;
        continue;
      }
      yield { index: arrival.index, value: arrival.result.value };
      pull(arrival.index);
    }
  } finally {
    closeAll(iterators);
  }
}

/** Not awaited: a source that waits for a value closes only when its abort signal wakes it. */
function closeAll(iterators: readonly AsyncIterator<unknown>[]): void {
  for (const iterator of iterators) iterator.return?.()?.then(undefined, () => undefined);
}
