import { TillerError } from '../../engine/index.ts';

/** Lets so much work run at once, and so much more wait for it in order. */
export class Places {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Throws `queue_full`; `cancelled` where the signal came before its turn. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    if (this.#running < this.#most) this.#running++;
    else await this.#wait();
    try {
      if (signal.aborted) throw new TillerError('cancelled', 'The client left before its turn came.');
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // the place goes to whoever is next, or is free
      if (next) next();
      else this.#running--;
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.length < this.#mostWaiting) return new Promise((resolve) => this.#waiting.push(resolve));
    const message = `${this.#waiting.length} readings that look into the stream wait already.`;
    throw new TillerError('queue_full', message, { retryAfterSeconds: 5 });
  }
}
