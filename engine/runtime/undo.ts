/**
 * Gives back what a constructor had taken when a later part of it fails: `add` each release as soon as the thing is there,
 * `run` them all in the catch, last first.
 */
export class Undo {
  private readonly releases: (() => void)[] = [];

  add(release: () => void): void {
    this.releases.push(release);
  }

  run(): void {
    for (const release of this.releases.splice(0).reverse()) release();
  }
}
