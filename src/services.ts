import type { Engine, LoadedModel } from '../engine/index.ts';
import { hookPointShapes, nearest, TillerError } from '../engine/index.ts';
import type { ModelCapacity, ModelCard, ModelService, Services } from '../routes/services.ts';
import type { Registry } from '../sae-registry/index.ts';
import type { Config } from './config.ts';
import type { MemoryLimits } from './limits.ts';
import { countSteering } from './metrics/count-steering.ts';
import type { RequestObserver } from './metrics/steering-metrics.ts';
import { noSuchProfile, resolveSteering } from './resolve-steering.ts';

export interface ServicesOptions {
  readonly version: string;
  readonly limits: Services['limits'];
  readonly metrics: Services['metrics'];
  /** Told of requests and their edits. */
  readonly requests?: RequestObserver;
  readonly unexpected?: Services['unexpected'];
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
  readonly limits: MemoryLimits;
  readonly capacity: ModelCapacity;
  readonly loadedUnixSeconds: number;
  /** Ends every request and gives the memory back. */
  close(): Promise<void>;
}

/** The port that the routes use, over what is loaded; it can be handed out before anything is. */
export class AppServices implements Services {
  readonly version: string;
  readonly limits: Services['limits'];
  readonly metrics: Services['metrics'];
  readonly unexpected: Services['unexpected'];
  /** Set when the process is told to stop, which may be before a model is there. */
  stopping = false;
  readonly #requests: RequestObserver | null;
  #ready: { readonly model: ReadyModel; readonly service: ModelService } | null = null;

  constructor(options: ServicesOptions) {
    this.version = options.version;
    this.limits = options.limits;
    this.metrics = options.metrics;
    this.#requests = options.requests ?? null;
    this.unexpected = options.unexpected;
  }

  /** From now on requests are answered. */
  serve(model: ReadyModel): void {
    this.#ready = { model, service: modelService(model, this.limits.maxEdits, this.#requests) };
  }

  readonly features: Services['features'] = {
    search: (query) => this.#loaded().model.registry.search(query),
    get: (model, source, index) => this.#loaded().model.registry.get(model, source, index),
  };

  models(): readonly ModelService[] {
    return this.#ready ? [this.#ready.service] : [];
  }

  model(name: string): { readonly model: ModelService; readonly profile: string | null } {
    const { service } = this.#loaded();
    const [id = '', ...rest] = name.split('@');
    if (id.toLowerCase() !== service.card.id) {
      const suggestions = nearest(id, [service.card.id]);
      throw new TillerError('model_not_found', `No model '${id}' is loaded; '${service.card.id}' is.`, {
        param: 'model',
        suggestions: suggestions.length > 0 ? suggestions : [service.card.id],
      });
    }
    const profile = rest.length > 0 ? rest.join('@') : null;
    if (profile !== null) throw noSuchProfile(profile, 'model');
    return { model: service, profile };
  }

  notReady(): string | null {
    const engine = this.#ready?.model.engine.statistics();
    if (this.stopping || engine?.draining) return 'The service is shutting down.';
    if (!engine) return 'The model is still being loaded.';
    const { broken } = engine;
    return broken === null ? null : `The engine stopped, and only a restart brings it back: ${broken}`;
  }

  readonly draining = (): boolean => this.stopping || (this.#ready?.model.engine.statistics().draining ?? false);

  #loaded() {
    if (this.#ready) return this.#ready;
    throw new TillerError('not_ready', 'The model is still being loaded; try again in a few seconds.', {
      retryAfterSeconds: 5,
    });
  }
}

function modelService(ready: ReadyModel, maxEdits: number, requests: RequestObserver | null): ModelService {
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
  return {
    card,
    tokenizer: model.tokenizer,
    encode: (text, options) => model.encoder.encode(text, options),
    chatTemplate: model.chatTemplate,
    ...countSteering(requests, {
      submit: (request) => engine.submit(request),
      resolveSteering: (request, promptLengths) =>
        resolveSteering(request, { card, registry, maxEdits, promptLengths: promptLengths ?? null }),
    }),
  };
}
