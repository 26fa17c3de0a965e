/** A signal that fires when another does, or when `restart` has not been called in time. */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #forward: () => void;
  #timer: NodeJS.Timeout | undefined;
  #barked: Error | null = null;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    this.#forward = () => this.#controller.abort(outer.reason);
    if (outer.aborted) this.#forward();
    outer.addEventListener('abort', this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it fired, if it was for lack of a sign of life; fetch reports only that it was aborted. */
  get barked(): Error | null {
    return this.#barked;
  }

  /** Something happened; the next thing is due within `milliseconds`, else the signal fires with `message`. */
  restart(milliseconds: number, message: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#barked = new Error(message);
      this.#controller.abort(this.#barked);
    }, milliseconds);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#forward);
  }
}
