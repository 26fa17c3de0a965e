import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TillerError } from './core/errors.ts';
import type { StepOutcome } from './generation.ts';

/** Tells a request what a step gave it; `now` is when the step was committed. */
type Deliver = (requestId: string, outcome: StepOutcome | TillerError, now: number) => void;

/**
 * What a committed step gave, on its way to the requests. It is handed out when the event loop next turns, and the engine
 * starts the next step before that: writing answers then takes place while the model computes, and not in between.
 */
export class HandOut {
  readonly #deliver: Deliver;
  #outcomes = new Map<string, StepOutcome | TillerError>();
  #committedAt = 0;
  #done: Promise<void> = Promise.resolve();

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  /** Hands this out when the event loop turns. Everything added before must be `done`. */
  add(outcomes: ReadonlyMap<string, StepOutcome | TillerError>, committedAt: number): void {
    this.#outcomes = new Map(outcomes);
    this.#committedAt = committedAt;
    this.#done = nextTurn().then(() => {
      for (const requestId of [...this.#outcomes.keys()]) this.now(requestId);
    });
    // a failure is thrown where `done` is awaited, which may be a step later
    this.#done.catch(() => undefined);
  }

  /** Hands out at once what there is for a request: something is to happen to it that comes after. */
  now(requestId: string): void {
    const outcome = this.#outcomes.get(requestId);
    if (outcome && this.#outcomes.delete(requestId)) this.#deliver(requestId, outcome, this.#committedAt);
  }

  /** Settles once nothing is on its way. */
  done(): Promise<void> {
    return this.#done;
  }
}
