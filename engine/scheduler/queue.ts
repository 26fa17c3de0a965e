import type { Entry } from './entry.ts';

/** Requests that wait for a row, in the order they came. Its bound is decided by admission.ts before anything is added. */
export class WaitingQueue {
  readonly #entries: Entry[] = [];

  get length(): number {
    return this.#entries.length;
  }

  /** Puts a request at its place by arrival: at the end when it is new, further ahead when it was preempted. */
  add(entry: Entry): void {
    let at = this.#entries.length;
    while (at > 0 && (this.#entries[at - 1] as Entry).arrival > entry.arrival) at--;
    this.#entries.splice(at, 0, entry);
  }

  /** Removes a request; false when it does not wait here. */
  remove(entry: Entry): boolean {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
    return at >= 0;
  }

  list(): readonly Entry[] {
    return this.#entries;
  }
}
