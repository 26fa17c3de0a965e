/** Runs jobs one after the other: packing the same weights twice at once would only double the peak of memory. */
export class BuildQueue {
  private last: Promise<unknown> = Promise.resolve();

  /** Runs a job after those given before, whether they failed or not. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const started = this.last.then(job);
    this.last = started.catch(() => undefined);
    return started;
  }

  /** Settles when the jobs given so far have ended. */
  async idle(): Promise<void> {
    await this.last;
  }
}
