import { TillerError } from '../../engine/core/index.ts';

/** So many requests in a row that failed are no accident. */
const mostInARow = 10;

/** Reasons that are told apart: endpoints write the time and a request's id into some. */
const mostReasons = 10;

/** Keeps count of what failed, and says when to give up. */
export class Failures {
  readonly reasons = new Map<string, number>();
  #inARow = 0;

  succeeded(): void {
    this.#inARow = 0;
  }

  /** What came of one item; the run goes on. */
  add(reason: string): void {
    const told = this.reasons.has(reason) || this.reasons.size < mostReasons ? reason : 'Other reasons.';
    this.reasons.set(told, (this.reasons.get(told) ?? 0) + 1);
  }

  /** A request that failed. Throws it again where asking on is of no use. */
  request(error: unknown): void {
    if (!(error instanceof TillerError) || error.code !== 'labeller_unavailable') throw error;
    if (++this.#inARow >= mostInARow) {
      throw new TillerError(error.code, `${mostInARow} requests in a row failed, the last one: ${error.message}`, {
        cause: error,
      });
    }
    this.add(error.message);
  }
}
