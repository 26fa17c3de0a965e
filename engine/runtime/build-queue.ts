interface Job {
  readonly start: () => Promise<void>;
  readonly urgent: boolean;
}

/**
 * Runs jobs one at a time: packing the same weights twice at once would only double the peak of memory, and running rows
 * should lose no more than one core to a build. Urgent jobs go before those that nobody waits for.
 */
export class BuildQueue {
  private readonly waiting: Job[] = [];
  private running: Promise<void> | null = null;

  /** Runs a job after those given before, whether they failed or not; before those of them that are not urgent, if it is. */
  run<T>(job: () => Promise<T>, urgent = true): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const start = () => job().then(resolve, reject);
      const firstIdle = this.waiting.findIndex((other) => !other.urgent);
      const place = urgent && firstIdle >= 0 ? firstIdle : this.waiting.length;
      this.waiting.splice(place, 0, { start, urgent });
      this.running ??= this.work();
    });
  }

  /** Settles when the jobs given so far have ended. */
  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  private async work(): Promise<void> {
    // Jobs given in one turn are sorted before the first begins.
    await Promise.resolve();
    for (let job = this.waiting.shift(); job; job = this.waiting.shift()) await job.start();
    this.running = null;
  }
}
