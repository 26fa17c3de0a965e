/**
 * The port: everything the HTTP layer needs, as interfaces only, a noun's in its own file where it is large. src/services.ts builds the real one; tests build small ones.
 */
import type {
  ChatTemplate,
  Edit,
  EditReport,
  EditSpecification,
  GenerateRequest,
  GenerationEvent,
  HookPointShape,
  Positions,
  PromptEncoder,
  RuleReport,
  RuleSet,
  SteeringMode,
  Tokenizer,
} from '../engine/core/index.ts';
import type { AutoSteerService } from './auto-steer-port.ts';
import type { Contrast, ContrastRequest } from './contrast-port.ts';
import type { EvaluationService } from './evaluation-port.ts';
import type {
  ActivationSearch,
  ActivationSearchRequest,
  DictionaryHealth,
  FeatureReadingRequest,
  FeatureService,
  SequenceFeatures,
} from './feature-port.ts';
import type { JobService } from './jobs-port.ts';
import type { LabelService } from './labels-port.ts';
import type { RelationService } from './relations-port.ts';
import type { RuleRequest, SteeringBlockRule } from './rules-port.ts';
import type {
  ProfileRequest,
  ProfileService,
  ProfileVersion,
  VectorRequest,
  VectorService,
  VectorVersion,
} from './saved-port.ts';
import type { SourceService } from './sources-port.ts';
import type { VectorWork } from './vectors-port.ts';

// what whoever implements the port needs of its parts
export type * from './auto-steer-port.ts';
export * from './contrast-port.ts';
export type * from './evaluation-port.ts';
export * from './feature-port.ts';
export type * from './jobs-port.ts';
export type * from './labels-port.ts';
export type * from './rules-port.ts';
export type * from './saved-port.ts';
export type * from './vectors-port.ts';

/** The body field `steering`, parsed (routes/http/steering-schema.ts). */
export interface SteeringRequest {
  /** `name` or `name:version`. */
  readonly profile?: string;
  /** The request names no profile: `profile` is the service's default. */
  readonly profileByDefault?: boolean;
  /** Added to the profile's; one of a target that the profile has replaces the profile's. */
  readonly edits: readonly EditRequest[];
  /** Those of the profile hold too. Left out: none. */
  readonly rules?: readonly RuleRequest[];
}

/** One edit as the request states it: its target still a name. */
export interface EditRequest extends Omit<EditSpecification, 'target'> {
  /** `model/source/index`, or shorter where it is unambiguous. */
  readonly feature?: string;
  /** A saved vector's name, or the direction itself (already decoded from base64). */
  readonly vector?: string | { readonly hookPoint: string; readonly data: Float32Array };
}

/** Steering with every id looked up and every unit made raw. */
export interface ResolvedSteering {
  readonly edits: readonly Edit[];
  /** Goes into the engine's request beside the edits. Left out: there are none. */
  readonly rules?: RuleSet;
  /** Where each of `edits` stood: `steering.edits[0]`, for several where a vector has several hook points. */
  readonly params: readonly string[];
  /**
   * The answer's `steering` block from what was done; reports are in the order of `edits`. For several choices pass each
   * choice's reports; they are merged. `rules` are the reports of rules, in the same way.
   */
  report(
    reports: readonly (readonly EditReport[])[],
    seeds: readonly number[],
    rules?: readonly (readonly RuleReport[])[],
  ): SteeringBlock;
}

/** What a steered answer says about its steering (docs/steering.md, "What the answer says"). */
export interface SteeringBlock {
  readonly edits: readonly SteeringBlockEdit[];
  readonly rules?: readonly SteeringBlockRule[];
  /** The saved steering that edits are from, where one is. */
  readonly profile?: SteeringBlockProfile;
  /** All that is needed to repeat the run; `sources` and `statistics` are those of the request's own edits. */
  readonly fingerprint: {
    readonly model: string;
    readonly model_hash: string;
    readonly precision: string;
    /** Source id → hash of its files. */
    readonly sources: Readonly<Record<string, string>>;
    /** Source id or hook point → version of the statistics that units were taken from. */
    readonly statistics: Readonly<Record<string, string>>;
    readonly seeds: readonly number[];
  };
}

export interface SteeringBlockProfile {
  readonly name: string;
  readonly version: number;
  /** It is the service's default: the request named none. */
  readonly default: boolean;
  /** What it was frozen with. */
  readonly fingerprint: ProfileFingerprint;
}

/** What a profile was frozen with. `hash` is of the frozen steering: equal hashes give equal text. */
export interface ProfileFingerprint extends Omit<SteeringBlock['fingerprint'], 'precision' | 'seeds'> {
  readonly hash: string;
}

export interface SteeringBlockEdit {
  /** Feature id, `name:version` of a vector (an edit for each of its hook points), or `inline`. */
  readonly target: string;
  /** The edit is the profile's. */
  readonly from_profile?: true;
  readonly hook_point: string;
  readonly mode: SteeringMode;
  readonly positions: Positions;
  /** Tokens it was applied at, also where its coefficient came out as 0. None: nothing was steered. */
  readonly tokens: number;
  readonly sink_tokens_skipped: number;
  /** Raw units. */
  readonly coefficient: { readonly min: number; readonly max: number } | null;
  /** Mean ‖Δ‖/‖x‖ over the tokens written to. */
  readonly relative_dose: number | null;
  /** set and pin: the value asked for and what the stream reads afterwards, raw units. */
  readonly value_asked?: number;
  readonly value_read_back?: { readonly min: number; readonly max: number; readonly mean: number } | null;
}

export interface ModelCard {
  readonly id: string;
  readonly createdUnixSeconds: number;
  readonly contextLength: number;
  readonly dModel: number;
  readonly blocks: number;
  /** Attention and MLP are added to the stream at once: it has no place between them. */
  readonly parallelResidual?: boolean;
  /** Its hook points in the model's order and in canonical spelling, with the shape of a token's value there. */
  readonly hookPoints?: ReadonlyMap<string, HookPointShape>;
  readonly precision: string;
  /** Whose operators compute it: `tiller` or `onnxruntime`. */
  readonly operators: string;
  readonly hash: string;
  /** Ids of the sources loaded for it. */
  readonly sources: readonly string[];
  readonly capacity: ModelCapacity;
}

/** What the engine of a model takes on. */
export interface ModelCapacity {
  /** Requests computed together. */
  readonly rows: number;
  /** Tokens of keys and values, rows and prefix cache together. */
  readonly keyValueTokens: number;
  /** Of those, what the prefix cache may keep; 0: there is none. */
  readonly prefixCacheTokens: number;
  readonly queueLimit: number;
  /** Longest wait for a first step; null: no limit. */
  readonly queueSeconds: number | null;
}

export const modelStates = ['not_loaded', 'loading', 'loaded', 'unloading', 'failed'] as const;
export type ModelState = (typeof modelStates)[number];

/** A model that requests may name, loaded or not. */
export interface ListedModel {
  readonly id: string;
  readonly state: ModelState;
  /** Set while it is loaded. */
  readonly service: ModelService | null;
  /** Why it could not be loaded; null otherwise. */
  readonly reason: string | null;
}

/** A model that stays loaded for a request, until it is released. */
export interface ModelUse {
  readonly model: ModelService;
  /** That `name@profile[:version]` selects. */
  readonly profile: string | null;
  release(): void;
}

/** One loaded model, as the routes use it. */
export interface ModelService {
  readonly card: ModelCard;
  readonly tokenizer: Tokenizer;
  /** As `tokenizer.encode`; a long text does not hold up the event loop. */
  readonly encode: PromptEncoder['encode'];
  /** Null: the checkpoint has none, and chat is refused. */
  readonly chatTemplate: ChatTemplate | null;
  /** Engine.submit. */
  submit(request: GenerateRequest): AsyncIterable<GenerationEvent>;
  /**
   * Runs token sequences through the model and reads the features of its sources at full width, in the order of the sequences. What
   * is read is never taken from the prefix cache. Throws source_not_found, source_invalid, and what `submit` throws.
   */
  readFeatures(request: FeatureReadingRequest): AsyncIterable<SequenceFeatures>;
  /** The features that fire on a text; attention sinks do not count. Throws as `readFeatures`. */
  searchByActivation(request: ActivationSearchRequest): Promise<ActivationSearch>;
  /**
   * Evaluates a source, by name or id, on token sequences. Throws source_not_found, source_invalid, invalid_request where no token
   * counts, unsupported for a dictionary that is too dense, and what `submit` throws.
   */
  evaluateSource(request: {
    readonly source: string;
    readonly sequences: readonly Int32Array[];
    readonly signal?: AbortSignal | null;
  }): Promise<DictionaryHealth>;
  /**
   * What tells two data sets apart, as a vector and as features. Throws `invalid_request` for classes that cannot be told apart or held
   * out, hook_point_not_found, edit_not_applicable, source_not_found, source_invalid, queue_full, and what `submit` throws; what would
   * take too much memory or arithmetic is refused before anything is read.
   */
  contrast(request: ContrastRequest): Promise<Contrast>;
  /** Files of vectors, their sums and cosines. */
  readonly vectorWork: VectorWork;
  /** Looks for a steering by a description of what is wanted. */
  readonly autoSteer: AutoSteerService;
  /** Measures what steering does to texts. */
  readonly evaluation: EvaluationService;
  /** Told of every prompt whose choices were all submitted, with their number. */
  promptAccepted?(choices: number): void;
  /** The profile that holds where a request names none, as `name:version`; null: none. */
  defaultProfile(): string | null;
  /** Saves the next version of a profile. Throws as `resolveSteering`, and `invalid_request` for a name that is none. */
  saveProfile(profile: ProfileRequest): ProfileVersion;
  /**
   * Saves what an exported file holds as the next version of its name, or of `name`. Throws `invalid_request` for a file that is
   * none or was changed, `edit_not_applicable` for one of another model.
   */
  importProfile(file: unknown, options: { readonly name: string | null; readonly origin: string }): ProfileVersion;
  /** Saves the next version of a vector. Throws `invalid_request`, `hook_point_not_found`, `edit_not_applicable`. */
  saveVector(vector: VectorRequest): VectorVersion;
  /**
   * `promptLengths` are those of the shortest and the longest prompt the steering is for: a range beyond the shortest is
   * refused, and so are conflicts in either. Throws feature_not_found, vector_not_found, profile_not_found,
   * edit_not_applicable, statistics_missing, edits_conflict.
   */
  resolveSteering(
    request: SteeringRequest,
    promptLengths?: { readonly shortest: number; readonly longest: number },
  ): ResolvedSteering;
}

export interface Limits {
  readonly bodyBytes: number;
  readonly maxEdits: number;
  readonly maxChoices: number;
  /** Longest reply that a request may ask for; null: what the context holds. */
  readonly maxReplyTokens: number | null;
  /** How long the reader of a stream may take nothing before it counts as gone. */
  readonly streamTimeoutSeconds: number;
}

export interface HttpObservation {
  readonly method: string;
  /** The route's pattern, never the raw path. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface Services {
  readonly version: string;
  readonly limits: Limits;
  /** When the service began; Unix seconds. */
  readonly startedUnixSeconds: number;
  /** Every model that requests may name; the first answers where they name none. */
  models(): readonly ListedModel[];
  /**
   * The loaded model that `name` means, with the profile it selects: `name` or `name@profile[:version]`. Throws model_not_found and
   * profile_not_found with the nearest names, not_ready where it is not loaded.
   */
  model(name: string): { readonly model: ModelService; readonly profile: string | null };
  /** The same, loaded or not. Throws model_not_found and profile_not_found. */
  findModel(name: string): ListedModel;
  /**
   * The model that `name` means (null: the first), loaded if it is not, and kept for the request. Throws as `model`, and
   * model_unavailable where it cannot be loaded or has no room; cancelled when the signal comes first.
   */
  useModel(name: string | null, signal: AbortSignal): Promise<ModelUse>;
  /** Loads a model, or does nothing where it is loaded. Throws as `useModel`. */
  loadModel(name: string, signal: AbortSignal): Promise<ListedModel>;
  /** Gives a model's memory back, or does nothing where it is not loaded. Throws model_not_found, model_busy. */
  unloadModel(name: string): Promise<ListedModel>;
  readonly features: FeatureService;
  readonly labels: LabelService;
  readonly vectors: VectorService;
  readonly profiles: ProfileService;
  readonly relations: RelationService;
  readonly sources: SourceService;
  readonly jobs: JobService;
  /** Null when ready, else why not. */
  notReady(): string | null;
  readonly draining: () => boolean;
  /** Told of every failure that is not a TillerError, or that answers with a status of 500: for the log, never for the client. */
  readonly unexpected?: (error: unknown, context: { readonly requestId: string; readonly route: string }) => void;
  readonly metrics: {
    render(): Promise<{ readonly contentType: string; readonly body: string }>;
    observeHttp(observation: HttpObservation): void;
    /** A client left before its answer was complete. */
    clientGone(route: string): void;
  };
}
