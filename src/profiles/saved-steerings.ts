import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type EditSpecification, type RuleSpecification, TillerError } from '../../engine/core/index.ts';
import {
  findProfile,
  findVector,
  formatSavedName,
  heldElsewhere,
  holdProfile,
  readProfile,
  type SavedProfile,
  type SavedVector,
  type Store,
  thaw,
  thawRules,
} from '../../sae-registry/index.ts';
import { DefaultProfiles, type DefaultSteering } from './default-profiles.ts';
import { ProfileUses } from './profile-uses.ts';

/** Profiles that are kept ready to run. */
const keptProfiles = 256;

/** A profile as the compiler takes it. */
export interface RunnableProfile {
  readonly saved: SavedProfile;
  readonly specifications: readonly EditSpecification[];
  readonly rules: readonly RuleSpecification[];
}

/** What names in a steering mean. */
export interface SavedLookup {
  /** `name` (the newest version) or `name:version`. Throws `profile_not_found` with the nearest names. */
  profile(model: string, reference: string, param: string): RunnableProfile;
  /** The same of vectors. Throws `vector_not_found`. */
  vector(model: string, reference: string, param: string): SavedVector;
}

/** The vectors and profiles of a store as requests use them, and which profiles are in use. */
export class SavedSteerings implements SavedLookup {
  readonly uses = new ProfileUses();
  readonly defaults = new DefaultProfiles();
  readonly #holder = randomUUID();
  readonly #store: Store | null;
  /** By their row: a version never changes. */
  readonly #profiles = new LRUCache<number, RunnableProfile>({ max: keptProfiles });

  /** Without a store nothing is saved. */
  constructor(store: Store | null) {
    this.#store = store;
  }

  /** Whether there is a store. */
  get isOpen(): boolean {
    return this.#store !== null;
  }

  /** Throws `store_invalid` where there is none. */
  get store(): Store {
    if (this.#store) return this.#store;
    throw new TillerError('store_invalid', 'This service has no store: nothing can be saved.');
  }

  profile(model: string, reference: string, param: string): RunnableProfile {
    // what is the default holds, whatever another process does to it in the store
    const held = this.defaults.of(model)?.profile;
    if (held && formatSavedName(held.saved) === reference) return held;
    if (!this.#store) throw new TillerError('profile_not_found', `There is no profile '${reference}'.`, { param });
    const { id } = findProfile(this.#store, model, reference, param);
    const known = this.#profiles.get(id);
    if (known) return known;
    const saved = readProfile(this.#store, id);
    const runnable = {
      saved,
      specifications: thaw(saved.frozen, 'steering.profile'),
      rules: thawRules(saved.frozen, 'steering.profile'),
    };
    this.#profiles.set(id, runnable);
    return runnable;
  }

  /** Sets a model's default, for other processes to see too; null takes it away. */
  setDefault(model: string, steering: DefaultSteering | null): void {
    holdProfile(this.store, { holder: this.#holder, model, profile: steering?.profile.saved.id ?? null });
    this.defaults.set(model, steering);
  }

  /** Who uses a profile, in words; null for nobody. */
  heldBy(profile: number): string | null {
    const another = 'set another first (PUT /api/v1/profiles/default)';
    if (this.defaults.has(profile)) return `it is the default: ${another}`;
    const elsewhere = heldElsewhere(this.store, profile, this.#holder);
    if (elsewhere !== null) return `it is the default of process ${elsewhere}: ${another}, or stop it`;
    const running = this.uses.count(profile);
    if (running === 0) return null;
    return running === 1 ? 'a running request uses it' : `${running} running requests use it`;
  }

  vector(model: string, reference: string, param: string): SavedVector {
    if (this.#store) return findVector(this.#store, model, reference, param);
    throw new TillerError('vector_not_found', `There is no vector '${reference}'.`, { param });
  }
}
