/**
 * The port: everything the HTTP layer needs, as interfaces only. src/services.ts builds the real one; tests build small ones.
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
  SparseActivations,
  SteeringMode,
  Tokenizer,
} from '../engine/core/index.ts';
import type { RelationService } from './relations-port.ts';
import type { SourceService } from './sources-port.ts';

/** The body field `steering`, parsed (routes/http/steering-schema.ts). */
export interface SteeringRequest {
  /** `name` or `name:version`. */
  readonly profile?: string;
  /** The request names no profile: `profile` is the service's default. */
  readonly profileByDefault?: boolean;
  /** Added to the profile's; one of a target that the profile has replaces the profile's. */
  readonly edits: readonly EditRequest[];
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
  /** Where each of `edits` stood: `steering.edits[0]`, for several where a vector has several hook points. */
  readonly params: readonly string[];
  /**
   * The answer's `steering` block from what was done; reports are in the order of `edits`. For several choices pass each
   * choice's reports; they are merged.
   */
  report(reports: readonly (readonly EditReport[])[], seeds: readonly number[]): SteeringBlock;
}

/** What a steered answer says about its steering (docs/steering.md, "What the answer says"). */
export interface SteeringBlock {
  readonly edits: readonly SteeringBlockEdit[];
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

export interface FeatureReadingRequest {
  readonly sequences: Iterable<Int32Array> | AsyncIterable<Int32Array>;
  /** Names or ids; null: all of the model's. */
  readonly sources: readonly string[] | null;
  /** Most activations that are told of a token and source; of more the largest (SparseActivations.active says how many there were). */
  readonly limit: number;
  /** What is done to the stream meanwhile; features are read before the edits of their own hook point. */
  readonly edits?: readonly Edit[];
  readonly signal?: AbortSignal | null;
}

/** What was read of one sequence. */
export interface SequenceFeatures {
  readonly tokenIds: Int32Array;
  readonly sources: readonly {
    readonly id: string;
    /** Where it reads. */
    readonly hookPoint: string;
    /** Norm beyond which a token is an attention sink, where the dictionary says nothing; null where that is not known. */
    readonly sinkNorm: number | null;
    /** Feature indices and activations. */
    readonly activations: SparseActivations;
  }[];
}

/** How healthy a dictionary is, on some texts. First tokens and attention sinks do not count, and are left as they are. */
export interface DictionaryHealth {
  readonly source: string;
  readonly texts: number;
  /** Tokens that counted. */
  readonly tokens: number;
  readonly explainedVariance: number;
  readonly l0: number;
  readonly features: number;
  /** Features that fired on none of these tokens: of few tokens many are silent that are not dead. */
  readonly silentFeatures: number;
  /** Mean cross-entropy of the tokens that follow those that count, in nats. */
  readonly loss: {
    /** Of the model as it is; splicing in the reconstruction together with its error is this. */
    readonly plain: number;
    /** With the reconstruction in place of what it describes. */
    readonly spliced: number;
    /** With zeros there. */
    readonly zeroed: number;
  };
  /** (zeroed − spliced) / (zeroed − plain): 1 is no loss at all. */
  readonly lossRecovered: number;
}

export interface ActivationSearchRequest {
  readonly tokenIds: Int32Array;
  readonly sources: readonly string[] | null;
  readonly by: 'max' | 'mean' | 'count';
  /** Features of each source. */
  readonly limit: number;
  readonly signal?: AbortSignal | null;
}

export interface ActivationSearch {
  readonly sources: readonly {
    readonly id: string;
    readonly hookPoint: string;
    /** Positions that do not count. */
    readonly ignored: readonly number[];
    /** Positions where more features fire than were looked at. */
    readonly truncated: readonly number[];
    /** Best first. */
    readonly features: readonly (FeatureSummary & {
      readonly max: number;
      /** Over all positions that count. */
      readonly mean: number;
      readonly count: number;
      /** Of its maximum. */
      readonly position: number;
    })[];
  }[];
}

export interface FeatureSummary {
  /** `model/source/index`. */
  readonly id: string;
  readonly model: string;
  readonly source: string;
  readonly index: number;
  readonly label: string | null;
  /** Higher is a better match; only within one search. */
  readonly score?: number;
}

export interface FeatureDetail extends FeatureSummary {
  readonly hookPoint: string;
  readonly labels: readonly {
    readonly text: string;
    readonly method: string;
    readonly author: string;
    readonly clarity: number | null;
    /** How well it tells where the feature fires; the higher the better. */
    readonly scores: readonly {
      readonly method: string;
      readonly author: string;
      readonly score: number;
      readonly judgements: number | null;
    }[];
  }[];
  readonly statistics: {
    readonly density: number;
    readonly max: number;
    /** 99.9th percentile of its non-zero activations: the unit `max_activation`. */
    readonly p999: number;
    /** Of non-zero activations. */
    readonly mean: number;
    /** Counts of non-zero activations in equal bins from 0 to max. */
    readonly histogram: readonly number[];
    readonly version: string;
  } | null;
  readonly topLogits: readonly string[];
  readonly bottomLogits: readonly string[];
  readonly topTokens: readonly string[];
  /** Passages on which it fires, strongest first: the peak, and the activation on each token where it is known. */
  readonly examples: readonly {
    readonly tokens: readonly string[];
    readonly value: number;
    readonly values: readonly number[] | null;
  }[];
  /** Dot product of encoder and decoder rows: what one unit of write adds to the reading; null where a feature does not read what it writes. */
  readonly encoderDotDecoder: number | null;
}

export const searchModes = ['hybrid', 'lexical', 'semantic'] as const;
export type SearchMode = (typeof searchModes)[number];

/** Empty lists and nulls do not narrow anything. */
export interface FeatureSearchQuery {
  readonly text: string;
  readonly filters: {
    readonly model: string | null;
    /** Ids `model/name`, or names alone. */
    readonly sources: readonly string[];
    readonly layers: readonly number[];
    /** Share of tokens on which a feature is active, both ends included. */
    readonly density: { readonly min: number | null; readonly max: number | null } | null;
    /** How a label was made. */
    readonly methods: readonly string[];
  };
  /** Null: both where the embeddings are there, else words alone. */
  readonly mode: SearchMode | null;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor: string | null;
}

/** A feature as search knows it. */
export interface FoundFeature {
  /** `model/source/index`. */
  readonly id: string;
  readonly model: string;
  readonly source: string;
  readonly index: number;
  readonly layer: number | null;
  /** The label that was found; of a feature that was looked up its clearest, null where it has none. */
  readonly label: {
    readonly text: string;
    readonly method: string;
    readonly author: string;
    readonly clarity: number | null;
  } | null;
  readonly density: number | null;
}

export interface FeatureHit extends FoundFeature {
  /** Higher is a better match; only within one search. */
  readonly score: number;
  /** From 1; null where it is not among those found by words, or by meaning. */
  readonly lexicalRank: number | null;
  readonly semanticRank: number | null;
  readonly similarity: number | null;
  /** Half-open ranges of Unicode code points of the label. */
  readonly highlights: readonly { readonly start: number; readonly end: number }[];
}

export interface FeatureSearchAnswer {
  readonly hits: readonly FeatureHit[];
  /** What was searched with. */
  readonly mode: SearchMode;
  /** Why it was words alone where nobody asked for that. */
  readonly reason: string | null;
  /** Labels in the searched scope whose embedding is there. */
  readonly embeddings: { readonly done: number; readonly total: number };
  readonly next: string | null;
}

export interface FeatureService {
  /**
   * Throws model_not_found, source_not_found, invalid_request (no words, a layer or method that nothing has, a cursor of another
   * search), and, of search by meaning alone, not_ready and model_unavailable.
   */
  search(query: FeatureSearchQuery): Promise<FeatureSearchAnswer>;
  /** In the order of the ids. Throws model_not_found, source_not_found, feature_not_found with the entry's place. */
  lookup(ids: readonly string[]): Promise<readonly FoundFeature[]>;
  /** Nearest in meaning first, those without a label last. Throws as `lookup`, not_ready, model_unavailable. */
  rerank(
    text: string,
    ids: readonly string[],
  ): Promise<readonly (FoundFeature & { readonly similarity: number | null })[]>;
  /** Throws model_not_found, source_not_found, feature_not_found with the nearest names. */
  get(model: string, source: string, index: string): FeatureDetail;
}

/** What became of a label file. */
export interface LabelImport {
  readonly added: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly badLines: number;
  /** The first of the lines that were left out. */
  readonly bad: readonly { readonly line: number; readonly reason: string }[];
}

/** A label that somebody writes by hand. */
export interface HandLabel {
  readonly text: string;
  readonly author: string;
  readonly clarity: number | null;
}

export interface LabelService {
  /**
   * Adds one label, of the method `manual`, to a feature; false where it was there. Throws model_not_found, source_not_found,
   * feature_not_found.
   */
  add(model: string, source: string, index: string, label: HandLabel): boolean;
  /** Pieces of a label file (JSON lines), read as they are taken. Throws model_not_found, source_not_found. */
  export(model: string, source: string): Iterable<string>;
  /** Adds a label file's labels, all good lines at once. `method` and `author` hold where lines do not say. Throws as `export`. */
  import(
    model: string,
    source: string,
    chunks: AsyncIterable<Uint8Array>,
    options: { readonly origin: string; readonly method: string; readonly author: string },
  ): Promise<LabelImport>;
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
  readonly directions: readonly { readonly hookPoint: string; readonly values: Float32Array }[];
}

export interface VectorRequest {
  readonly name: string;
  readonly description: string;
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
  readonly edits: readonly {
    readonly target: string;
    readonly hookPoint: string;
    readonly mode: SteeringMode;
    readonly number: number | null;
    readonly positions: Positions;
  }[];
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
