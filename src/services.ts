import type { Engine, LoadedModel } from '../engine/index.ts';
import { hookPointShapes, TillerError, type Unembedding } from '../engine/index.ts';
import type { JobView } from '../routes/jobs-port.ts';
import type { ListedModel, ModelCapacity, ModelCard, ModelService, ModelUse, Services } from '../routes/services.ts';
import { type FeatureSearch, formatSavedName, type Registry, type Store } from '../sae-registry/index.ts';
import { autoSteerService } from './auto-steer/auto-steer.ts';
import type { SteeringContext } from './compile-steering.ts';
import type { Config } from './config.ts';
import { contrasting } from './contrast/contrast.ts';
import { evaluationService } from './evaluation/evaluation-service.ts';
import { inspectionService } from './inspection/inspect.ts';
import { interventionService } from './interventions/service.ts';
import { JobRunner } from './jobs/job-runner.ts';
import { createJobService, jobFolders } from './jobs/job-services.ts';
import { jobKinds } from './jobs/kinds/index.ts';
import { labelService } from './labels/service.ts';
import type { MemoryLimits } from './limits.ts';
import { logitsService } from './logits/service.ts';
import { countSteering } from './metrics/count-steering.ts';
import type { RequestObserver } from './metrics/steering-metrics.ts';
import { type Loaded, ModelPool, type PoolEntry } from './models/model-pool.ts';
import { holdProfiles } from './profiles/profile-uses.ts';
import { savingOf } from './profiles/save-profile.ts';
import { profileService, vectorService } from './profiles/saved-services.ts';
import { SavedSteerings } from './profiles/saved-steerings.ts';
import { featureReading } from './read-features.ts';
import { createRelationService } from './relation-services.ts';
import { refuseRulesUnless, resolveSteering } from './resolve-steering.ts';
import { evaluateSource } from './sae/evaluate.ts';
import { createSourceService } from './source-services.ts';
import { vectorWork } from './vectors/vector-work.ts';

export interface ServicesOptions {
  readonly version: string;
  readonly limits: Services['limits'];
  readonly metrics: Services['metrics'];
  /** Gives who is told of a model's requests and their edits. */
  readonly requests?: (modelId: string) => RequestObserver;
  readonly unexpected?: Services['unexpected'];
  /** The registry's memory, of every model; null where there is none, as in tests of routes. */
  readonly store?: Store;
  /** Where jobs keep their files; null or left out: there are no jobs. */
  readonly dataDir?: string | null;
  /** Search over that store; null where there is none. */
  readonly search?: FeatureSearch;
  /** The first model's default, `name` or `name:version`; null for none. */
  readonly profile?: string | null;
}

/** The limits of requests, as configured. */
export function limitsOf(config: Config): Services['limits'] {
  const { maxBodyBytes, maxEdits, maxChoices, maxReplyTokens, streamTimeoutSeconds } = config;
  return { bodyBytes: maxBodyBytes, maxEdits, maxChoices, maxReplyTokens, streamTimeoutSeconds };
}

/** What is there once a model is loaded. */
export interface ReadyModel {
  readonly id: string;
  readonly model: LoadedModel;
  readonly engine: Engine;
  readonly registry: Registry;
  /** What turns its stream into logits, from its files; kept in memory where it fits (engine/kept-unembedding.ts). */
  readonly unembedding: () => Promise<Unembedding>;
  readonly limits: MemoryLimits;
  readonly capacity: ModelCapacity;
  readonly loadedUnixSeconds: number;
  /** Ends every request and gives the memory back. */
  close(): Promise<void>;
}

/** A loaded model and the port's view of it. */
export interface Served extends Loaded {
  readonly model: ReadyModel;
  readonly service: ModelService;
}

/** The port that the routes use, over a pool of models; it can be handed out before any is loaded. */
export class AppServices implements Services {
  readonly version: string;
  readonly limits: Services['limits'];
  readonly metrics: Services['metrics'];
  readonly unexpected: Services['unexpected'];
  readonly startedUnixSeconds = Math.floor(Date.now() / 1000);
  /** Set when the process is told to stop, which may be before a model is there. */
  stopping = false;
  /** The registry's memory, of every model, loaded or not. */
  readonly store: Store | null;
  readonly vectors: Services['vectors'];
  readonly profiles: Services['profiles'];
  readonly #saved: SavedSteerings;
  readonly #requests: ServicesOptions['requests'];
  readonly #search: FeatureSearch | null;
  readonly jobs: Services['jobs'];
  readonly #runner: JobRunner | null;
  /** Set until the first model is there. */
  #profileAtStart: string | null;
  #pool: ModelPool<Served>;
  /** The first model has been there: it may be unloaded since, and is loaded again when it is asked for. */
  #begun = false;

  constructor(options: ServicesOptions) {
    this.version = options.version;
    this.limits = options.limits;
    this.metrics = options.metrics;
    this.store = options.store ?? null;
    this.#search = options.search ?? null;
    this.#saved = new SavedSteerings(this.store);
    this.vectors = vectorService(this.#saved);
    this.profiles = profileService(this.#saved, (id, profile) => {
      this.#pool.lookUp(id)?.value?.service.resolveSteering({ profile, edits: [] }, undefined, { rules: true });
    });
    this.#profileAtStart = options.profile ?? null;
    this.#requests = options.requests;
    this.unexpected = options.unexpected;
    this.#pool = new ModelPool({ models: [], budgetBytes: null });
    const { store, unexpected } = this;
    const dataDir = options.dataDir ?? null;
    const lease = async (name: string | null, signal: AbortSignal) => {
      const first = this.#pool.list()[0];
      if (first === undefined) throw stillLoading();
      const { value, release } = await this.#pool.lease(splitName(name ?? first.name).id, signal);
      return { model: { ready: value.model, service: value.service }, release };
    };
    this.#runner =
      store === null || dataDir === null
        ? null
        : new JobRunner({
            store,
            folder: jobFolders(dataDir).jobs,
            kinds: jobKinds,
            lease,
            traffic: (name) => {
              const loaded = this.#pool.lookUp(name)?.value?.model;
              if (!loaded) return null;
              return { ...loaded.engine.statistics(), rows: loaded.capacity.rows };
            },
            onFailure: ({ id: requestId, kind }, error) => unexpected?.(error, { requestId, route: `job ${kind}` }),
          });
    this.jobs = createJobService({ store, dataDir, kinds: jobKinds, runner: this.#runner, lease });
  }

  /** Begins to work on what is queued. */
  startJobs(): void {
    this.#runner?.start();
  }

  /** Does a job that is queued, and no other (`JobRunner.finish`). */
  async finishJob(id: string, signal: AbortSignal): Promise<JobView> {
    await this.#runner?.finish(id, signal);
    return this.jobs.get(id);
  }

  /** Gives the job in hand back to the queue. */
  async stopJobs(): Promise<void> {
    await this.#runner?.stop();
  }

  /** These models are served from now on; each is loaded when it is asked for. */
  offer(pool: ModelPool<Served>): void {
    this.#pool = pool;
  }

  /**
   * A loaded model as a pool holds it. The first one gets the default profile that the service was started with. Throws
   * `profile_not_found`, and `edit_not_applicable` where that does not run on these weights.
   */
  served(model: ReadyModel): Served {
    const { engine } = model;
    const service = modelService(model, this.#saved, this.limits.maxEdits, this.#requests?.(model.id) ?? null);
    if (this.#profileAtStart !== null) {
      // refused before it holds, as the model is not in the pool yet
      service.resolveSteering({ profile: this.#profileAtStart, edits: [] }, undefined, { rules: true });
      this.profiles.setDefault(model.id, { profile: this.#profileAtStart });
      this.#profileAtStart = null;
    }
    return {
      id: model.id,
      model,
      service,
      busy: () => {
        const { running, waiting } = engine.statistics();
        return running + waiting > 0;
      },
      close: () => model.close(),
    };
  }

  /** From now on requests are answered by this model, which stays loaded. */
  serve(model: ReadyModel): void {
    this.#pool.adopt(this.served(model));
  }

  readonly features: Services['features'] = {
    search: (query) => {
      const { filters } = query;
      const model = filters.model === null ? null : this.#idOf(filters.model);
      return this.#searchOf().search({ ...query, filters: { ...filters, model } });
    },
    lookup: (ids) => this.#searchOf().lookup(ids),
    rerank: (text, ids) => this.#searchOf().rerank(text, ids),
    get: (model, source, index) => this.#registryOf(model).get(model, source, index),
  };

  readonly labels: Services['labels'] = labelService((name) => ({
    store: this.store ?? this.#registryOf(name).store,
    model: this.#pool.lookUp(name)?.value?.id ?? name,
  }));

  readonly relations: Services['relations'] = createRelationService(
    (name) => (name === null ? this.#first().model : this.#readyOf(name)),
    () => this.#searchOf(),
  );

  readonly sources: Services['sources'] = createSourceService(
    () => this.#pool.loaded().map(({ model }) => model),
    (name) => this.#readyOf(name),
  );

  models(): readonly ListedModel[] {
    return this.#pool.list().map(toListed);
  }

  findModel(name: string): ListedModel {
    const { id, profile } = splitName(name);
    const model = toListed(this.#pool.find(id));
    if (profile !== null) this.#saved.profile(model.id, profile, 'model');
    return model;
  }

  model(name: string): { readonly model: ModelService; readonly profile: string | null } {
    if (this.#pool.list().length === 0) throw stillLoading();
    const { id, profile } = splitName(name);
    const entry = this.#pool.find(id);
    if (entry.value === null) throw notLoaded(entry.name, entry.reason);
    if (profile !== null) this.#saved.profile(entry.value.id, profile, 'model');
    return { model: entry.value.service, profile };
  }

  async useModel(name: string | null, signal: AbortSignal): Promise<ModelUse> {
    const first = this.#pool.list()[0];
    if (first === undefined) throw stillLoading();
    const { id, profile } = splitName(name ?? first.name);
    const { value, release } = await this.#pool.lease(id, signal);
    try {
      if (profile !== null) this.#saved.profile(value.id, profile, 'model');
    } catch (error) {
      release();
      throw error;
    }
    return { model: value.service, profile, release };
  }

  async loadModel(name: string, signal: AbortSignal): Promise<ListedModel> {
    return toListed(await this.#pool.load(name, signal));
  }

  async unloadModel(name: string): Promise<ListedModel> {
    return toListed(await this.#pool.unload(name));
  }

  notReady(): string | null {
    const first = this.#pool.list()[0];
    const engine = first?.value?.model.engine.statistics();
    if (this.stopping || engine?.draining) return 'The service is shutting down.';
    if (engine) this.#begun = true;
    if (!this.#begun) return 'The model is still being loaded.';
    const broken = engine?.broken ?? null;
    return broken === null ? null : `The engine stopped, and only a restart brings it back: ${broken}`;
  }

  readonly draining = (): boolean =>
    this.stopping || this.#pool.loaded().some(({ model }) => model.engine.statistics().draining);

  #searchOf(): FeatureSearch {
    if (this.#search) return this.#search;
    throw new TillerError('unsupported', 'This service keeps no store of features, so there is nothing to search.');
  }

  /** A loaded model's own id, whatever name was used; any other name as it is: the store knows models that are not loaded. */
  #idOf(name: string): string {
    return this.#pool.lookUp(splitName(name).id)?.value?.id ?? name;
  }

  #first(): Served {
    const first = this.#pool.loaded()[0];
    if (first) return first;
    throw stillLoading();
  }

  /** A name that is no model's goes to a loaded registry, which says what there is. */
  #registryOf(name: string): Registry {
    const entry = this.#pool.lookUp(name);
    if (entry && entry.value === null && this.#pool.loaded().length > 0) throw notLoaded(entry.name, entry.reason);
    return (entry?.value ?? this.#first()).model.registry;
  }

  /** Throws `model_not_found`, and `not_ready` for one that is not loaded. */
  #readyOf(name: string): ReadyModel {
    const entry = this.#pool.find(splitName(name).id);
    if (entry.value === null) throw notLoaded(entry.name, entry.reason);
    return entry.value.model;
  }
}

/** The parts of `model@profile[:version]`. */
function splitName(name: string): { readonly id: string; readonly profile: string | null } {
  const at = name.indexOf('@');
  return at < 0 ? { id: name, profile: null } : { id: name.slice(0, at), profile: name.slice(at + 1) };
}

function toListed({ name, state, value, reason }: PoolEntry<Served>): ListedModel {
  return { id: value?.id ?? name, state, service: value?.service ?? null, reason };
}

function stillLoading(): TillerError {
  return new TillerError('not_ready', 'The model is still being loaded; try again in a few seconds.', {
    retryAfterSeconds: 5,
  });
}

function notLoaded(name: string, reason: string | null): TillerError {
  const why = reason === null ? 'is not loaded' : `could not be loaded: ${reason}`;
  const message = `'${name}' ${why}. The first request for a reply loads it, and so does POST /api/v1/models/${name}/load.`;
  return new TillerError('not_ready', message, { param: 'model', retryAfterSeconds: 5 });
}

function modelService(
  ready: ReadyModel,
  saved: SavedSteerings,
  maxEdits: number,
  requests: RequestObserver | null,
): ModelService {
  const { model, engine, registry } = ready;
  let hookPoints: ModelCard['hookPoints'];
  const card: ModelCard = {
    id: ready.id,
    createdUnixSeconds: ready.loadedUnixSeconds,
    // what fits the memory for keys and values, where that is less than a row may hold
    contextLength: Math.min(model.executor.context, ready.capacity.keyValueTokens),
    dModel: model.config.dModel,
    blocks: model.config.blocks,
    parallelResidual: model.config.parallelResidual,
    get hookPoints() {
      hookPoints ??= hookPointShapes(model.config);
      return hookPoints;
    },
    precision: model.precision,
    operators: model.operators,
    hash: model.hash,
    sources: registry.sources.map(({ id }) => id),
    capacity: ready.capacity,
  };
  const context: SteeringContext = { card, registry, saved, maxEdits, promptLengths: null };
  const steered = holdProfiles(saved.uses, {
    submit: (request) => engine.submit(request),
    resolveSteering: (request, promptLengths, options = { rules: false }) =>
      refuseRulesUnless(options.rules, resolveSteering(request, { ...context, promptLengths: promptLengths ?? null })),
  });
  const saving = savingOf(() => saved.store, context);
  const counted = countSteering(requests, steered);
  const { tokenizer, chatTemplate, executor } = model;
  const encode: ModelService['encode'] = (text, options) => model.encoder.encode(text, options);
  const { contrast } = contrasting({ engine, registry, card, saveVector: saving.saveVector });
  const evaluated = { card, tokenizer, registry, saved, ...counted };
  const evaluation = evaluationService(evaluated);
  return {
    card,
    tokenizer,
    encode,
    chatTemplate,
    logits: logitsService({
      ...{ card, registry, saved, executor, submit: (request) => counted.submit(request) },
      ...{ width: model.config.dModel, blocks: model.config.blocks },
    }),
    evaluateSource: async ({ source: name, sequences, signal }) => {
      const [source] = registry.sourcesNamed([name], 'source');
      if (!source) throw new TillerError('internal', 'a source that was named is not there');
      return evaluateSource(ready, source, sequences, { signal });
    },
    interventions: interventionService(ready),
    defaultProfile: () => {
      const steering = saved.defaults.of(card.id);
      return steering?.on ? formatSavedName(steering.profile.saved) : null;
    },
    ...saving,
    contrast,
    ...featureReading({ engine, registry, tokenizer: model.tokenizer }),
    ...inspectionService({ submit: counted.submit, registry }),
    vectorWork: vectorWork({ card, registry, saved }, saving.saveVector),
    evaluation,
    autoSteer: autoSteerService({ ...evaluated, encode, chatTemplate, contrast, evaluation }),
    ...counted,
  };
}
