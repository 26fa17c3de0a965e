import type { Edit, GenerateRequest, GenerationEvent } from '../../engine/core/index.ts';
import type { ModelService } from '../../routes/services.ts';
import type { CountedSteering } from '../resolve-steering.ts';

/** How many requests run with each profile, by its row in the store. */
export class ProfileUses {
  readonly #counts = new Map<number, number>();

  count(profile: number): number {
    return this.#counts.get(profile) ?? 0;
  }

  /** Counts a request until what is returned is called; calling it again does nothing. */
  hold(profile: number): () => void {
    this.#counts.set(profile, this.count(profile) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = this.count(profile) - 1;
      if (left > 0) this.#counts.set(profile, left);
      else this.#counts.delete(profile);
    };
  }
}

/** The part of a model's service that steering passes through. */
interface Steerable {
  readonly submit: ModelService['submit'];
  readonly resolveSteering: (...given: Parameters<ModelService['resolveSteering']>) => CountedSteering;
}

/**
 * Counts each request that was steered by a profile while it runs: from when the engine takes it until its last event, its
 * failure, or until its reader leaves. A request is known by its list of edits, which is the one that `resolveSteering` gave.
 */
export function holdProfiles(uses: ProfileUses, { submit, resolveSteering }: Steerable): Steerable {
  const profiles = new WeakMap<readonly Edit[], number>();
  return {
    submit(request) {
      const profile = profiles.get(request.edits);
      if (profile === undefined) return submit(request);
      return held(submit(request), uses.hold(profile), request);
    },
    resolveSteering(...given) {
      const steering = resolveSteering(...given);
      if (steering.profile !== null) profiles.set(steering.edits, steering.profile);
      return steering;
    },
  };
}

/** Written by hand: a generator that nobody starts never comes to its `finally`. */
function held(
  events: AsyncIterable<GenerationEvent>,
  release: () => void,
  { signal }: GenerateRequest,
): AsyncIterable<GenerationEvent> {
  const iterator = events[Symbol.asyncIterator]();
  const end = () => {
    signal?.removeEventListener('abort', end);
    release();
  };
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  const next = async (): Promise<IteratorResult<GenerationEvent>> => {
    try {
      const result = await iterator.next();
      if (result.done) end();
      return result;
    } catch (error) {
      end();
      throw error;
    }
  };
  const leave = async (): Promise<IteratorResult<GenerationEvent>> => {
    end();
    return (await iterator.return?.()) ?? { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
}
