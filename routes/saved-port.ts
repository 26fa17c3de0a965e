/** The port of what is saved: vectors and profiles. */
import type { Positions, PromptAggregate, SteeringMode } from '../engine/core/index.ts';
import type { ProfileFingerprint, SteeringRequest } from './services.ts';

/** What every version of a saved thing has. */
export interface SavedVersion {
  readonly model: string;
  readonly name: string;
  readonly version: number;
  readonly description: string;
  readonly addedUnixMilliseconds: number;
}

export interface VectorVersion extends SavedVersion {
  readonly method: string;
  readonly hookPoints: readonly string[];
}

export interface VectorDetail extends VectorVersion {
  /** Where it is from; of a combined vector the recipe. Null where that is not known. */
  readonly origin: string | null;
  readonly directions: readonly { readonly hookPoint: string; readonly values: Float32Array }[];
}

export interface VectorRequest {
  readonly name: string;
  readonly description: string;
  /** How it was made; default: `uploaded`, through POST /api/v1/vectors. */
  readonly made?: { readonly method: string; readonly origin: string };
  /** `param` is where each stood. */
  readonly directions: readonly { readonly hookPoint: string; readonly values: Float32Array; readonly param: string }[];
}

export interface ProfileVersion extends SavedVersion {
  readonly fingerprint: ProfileFingerprint;
}

export interface ProfileDetail extends ProfileVersion {
  /** As it was asked for: the wire form of `steering`. */
  readonly steering: unknown;
  /** What runs: every number in raw units. */
  readonly edits: readonly RunningEdit[];
  /** The same of its rules. */
  readonly rules: readonly {
    readonly latch: boolean;
    readonly stop: boolean;
    /** In the order in which they stand in the condition. */
    readonly comparisons: readonly {
      readonly target: string;
      readonly hookPoint: string;
      readonly over: 'token' | PromptAggregate;
      readonly above: boolean;
      readonly threshold: number;
    }[];
    readonly edits: readonly RunningEdit[];
  }[];
}

export interface RunningEdit {
  readonly target: string;
  readonly hookPoint: string;
  readonly mode: SteeringMode;
  readonly number: number | null;
  readonly positions: Positions;
}

export interface ProfileRequest {
  readonly name: string;
  readonly description: string;
  readonly steering: SteeringRequest;
  /** The same as the client sent it, which is kept beside what runs. */
  readonly wire: unknown;
}

/** The profile that holds where a request names none. */
export interface DefaultProfile {
  readonly model: string;
  /** `name:version`; null: none is set. */
  readonly profile: string | null;
  /** False: it is set and switched off. */
  readonly on: boolean;
}

/** Saved vectors of all models. `reference` is `name` (the newest version) or `name:version`; `model` is a model's id. */
export interface VectorService {
  /** Newest first within a name; of every model where none is given. */
  list(model: string | null): readonly VectorVersion[];
  /** Throws vector_not_found. */
  get(model: string, reference: string): VectorDetail;
  /** The same as a control vector (GGUF). Throws vector_not_found, edit_not_applicable for places that none reaches. */
  controlVector(model: string, reference: string): Uint8Array<ArrayBuffer>;
  /** Deletes that version, or all of a name, and says which. Throws vector_not_found, in_use. */
  remove(model: string, reference: string): readonly number[];
}

/** Saved steerings of all models, named as vectors are. */
export interface ProfileService {
  list(model: string | null, name?: string): readonly ProfileVersion[];
  /** Throws profile_not_found. */
  get(model: string, reference: string): ProfileDetail;
  /** Deletes that version, or all of a name, and says which. Throws profile_not_found, in_use. */
  remove(model: string, reference: string): readonly number[];
  /** The file that `importProfile` takes. Throws profile_not_found. */
  exported(model: string, reference: string): Readonly<Record<string, unknown>>;
  default(model: string): DefaultProfile;
  /** Sets the default (null: none) and switches it. Throws profile_not_found, invalid_request where there is none to switch on. */
  setDefault(model: string, change: { readonly profile?: string | null; readonly on?: boolean }): DefaultProfile;
}
