/**
 * Events of one request, pushed by the engine and pulled by one consumer. Pushing never waits: a slow consumer's events are
 * kept here (a request has at most max_tokens + 2) and hold up nobody else.
 */
export class EventQueue<Event> implements AsyncIterableIterator<Event> {
  readonly #events: Event[] = [];
  readonly #waiting: { resolve: (result: IteratorResult<Event>) => void; reject: (error: unknown) => void }[] = [];
  readonly #left: () => void;
  #ended = false;
  #failure: { readonly error: unknown } | null = null;

  /** @param left called when the consumer leaves before the end */
  constructor(left: () => void) {
    this.#left = left;
  }

  push(event: Event): void {
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ done: false, value: event });
    else this.#events.push(event);
  }

  /** No more events; with an error, the iteration throws it after the events that came before. */
  end(failure: { readonly error: unknown } | null = null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    for (const waiting of this.#waiting.splice(0)) this.#settle(waiting.resolve, waiting.reject);
  }

  next(): Promise<IteratorResult<Event>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    return new Promise((resolve, reject) => {
      if (this.#ended) this.#settle(resolve, reject);
      else this.#waiting.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<Event>> {
    const early = !this.#ended;
    this.#events.length = 0;
    this.end();
    this.#failure = null;
    if (early) this.#left();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The error is thrown once; afterwards the iteration is simply over. */
  #settle(resolve: (result: IteratorResult<Event>) => void, reject: (error: unknown) => void): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure) reject(failure.error);
    else resolve({ done: true, value: undefined });
  }
}
