import { TillerError } from '../engine/core/index.ts';

/** Runs one piece of work after another: several at once would each hold the event loop for its turn. */
export class OneAtATime {
  readonly #mostWaiting: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting;
  }

  /** Throws `queue_full`; `cancelled` where the signal came before its turn. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#waiting >= this.#mostWaiting) {
      throw new TillerError('queue_full', `${this.#waiting} such requests wait already.`, { retryAfterSeconds: 5 });
    }
    this.#waiting++;
    const before = this.#last;
    const mine = before
      .catch(() => undefined)
      .then(() => {
        if (signal.aborted) throw new TillerError('cancelled', 'The client left before its turn came.');
        return work();
      })
      .finally(() => {
        this.#waiting--;
      });
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
