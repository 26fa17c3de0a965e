/** When a request reached which stage, on one monotonic clock, in milliseconds. */
export class RequestTimes {
  readonly submitted: number;
  #started: number | null = null;
  #promptRead: number | null = null;
  #lastToken: number | null = null;

  constructor(now: number) {
    this.submitted = now;
  }

  get hasStarted(): boolean {
    return this.#started !== null;
  }

  get hasToken(): boolean {
    return this.#lastToken !== null;
  }

  /** Its first step begins. @returns milliseconds that it waited */
  start(now: number): number {
    this.#started ??= now;
    return this.#started - this.submitted;
  }

  /** Its prompt is in the cache. @returns milliseconds since the first step began */
  readPrompt(now: number): number {
    this.#promptRead ??= now;
    return this.#promptRead - (this.#started ?? this.#promptRead);
  }

  /** A token is out. @returns milliseconds since the one before it, or, for the first, since submission */
  token(now: number): number {
    const since = this.#lastToken ?? this.submitted;
    this.#lastToken = now;
    return now - since;
  }

  /** The parts of the time from submission until now; null for what did not begin. */
  parts(now: number): {
    readonly milliseconds: number;
    readonly queueMilliseconds: number | null;
    readonly prefillMilliseconds: number | null;
    readonly decodeMilliseconds: number | null;
  } {
    const started = this.#started;
    const read = this.#promptRead;
    return {
      milliseconds: now - this.submitted,
      queueMilliseconds: started === null ? null : started - this.submitted,
      prefillMilliseconds: started === null ? null : (read ?? now) - started,
      decodeMilliseconds: read === null ? null : now - read,
    };
  }
}
