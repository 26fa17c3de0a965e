export interface RateLimits {
  /** Null: no limit. */
  readonly requestsPerMinute: number | null;
  /** Tokens of prompts and answers together; null: no limit. */
  readonly tokensPerMinute: number | null;
}

/** A request that was let through. */
export interface Passed {
  /** What it took in truth, once that is known: what it was let through with was an estimate. */
  settle(tokens: number): void;
}

/** Time as the gate sees it, so that a test need not wait. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

const minute = 60_000;

export const realClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** Lets requests through one after the other, as many as the limits allow within any minute. */
export class RateGate {
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  #passed: { readonly at: number; tokens: number }[] = [];
  #closedUntil = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(limits: RateLimits, clock: Clock = realClock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Waits until a request of about `tokens` may go; those who came first go first. */
  pass(tokens: number): Promise<Passed> {
    const passed = this.#last.then(() => this.#wait(tokens));
    this.#last = passed;
    return passed;
  }

  /** Lets nobody through for so long: the endpoint said so (`Retry-After`). */
  close(milliseconds: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.now() + milliseconds);
  }

  async #wait(tokens: number): Promise<Passed> {
    for (let delay = this.#delay(tokens); delay > 0; delay = this.#delay(tokens)) await this.#clock.sleep(delay);
    const entry = { at: this.#clock.now(), tokens };
    this.#passed.push(entry);
    return {
      settle: (taken) => {
        entry.tokens = taken;
      },
    };
  }

  /** Milliseconds after which it is worth looking again; 0: now. */
  #delay(tokens: number): number {
    const now = this.#clock.now();
    if (now < this.#closedUntil) return this.#closedUntil - now;
    this.#passed = this.#passed.filter(({ at }) => now - at < minute);
    const { requestsPerMinute, tokensPerMinute } = this.#limits;
    const taken = this.#passed.reduce((sum, entry) => sum + entry.tokens, 0);
    const [first] = this.#passed;
    // One that is larger than the limit goes alone: it would never go otherwise.
    if (first === undefined) return 0;
    const full = requestsPerMinute !== null && this.#passed.length >= requestsPerMinute;
    const tooLarge = tokensPerMinute !== null && taken + tokens > tokensPerMinute;
    return full || tooLarge ? first.at + minute - now : 0;
  }
}
