import type { RunnableProfile } from './saved-steerings.ts';

/** A model's default and whether it is switched on. */
export interface DefaultSteering {
  readonly profile: RunnableProfile;
  readonly on: boolean;
}

/**
 * The profiles that hold where a request names none, one a model. They last as long as the process: the command line says again
 * what holds at the next start.
 */
export class DefaultProfiles {
  readonly #defaults = new Map<string, DefaultSteering>();

  of(model: string): DefaultSteering | null {
    return this.#defaults.get(model) ?? null;
  }

  /** Null takes the default away. */
  set(model: string, steering: DefaultSteering | null): void {
    if (steering === null) this.#defaults.delete(model);
    else this.#defaults.set(model, steering);
  }

  /** Whether a version is the default of a model, switched on or off. */
  has(profile: number): boolean {
    return [...this.#defaults.values()].some(({ profile: one }) => one.saved.id === profile);
  }
}
