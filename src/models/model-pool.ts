import { asTillerError, nearest, TillerError } from '../../engine/core/index.ts';
import type { ModelState } from '../../routes/services.ts';
import { planRoom } from './room-policy.ts';

/** Something that was loaded for a model. */
export interface Loaded {
  /** The name that it turned out to have; requests may use it too. */
  readonly id: string;
  /** Requests run on it or wait in its queue. */
  busy(): boolean;
  /** Gives everything back. */
  close(): Promise<void>;
}

/** A model that may be asked for. */
export interface PoolModel<Value extends Loaded> {
  readonly name: string;
  /**
   * Gets its files where they are not there yet, and says what it will need: weights, and keys and values up to their limit. Outside
   * the turn in which models are loaded.
   */
  measure(signal: AbortSignal): Promise<number>;
  load(signal: AbortSignal): Promise<Value>;
}

export interface ModelPoolOptions<Value extends Loaded> {
  readonly models: readonly PoolModel<Value>[];
  /** What all loaded models may need together; null: no limit. */
  readonly budgetBytes: number | null;
  /** Told of every model that was loaded, unloaded or could not be loaded. */
  readonly onChange?: (change: {
    readonly model: string;
    readonly state: ModelState;
    readonly reason: string | null;
  }) => void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** How a model of the pool stands. */
export interface PoolEntry<Value extends Loaded> {
  readonly name: string;
  readonly state: ModelState;
  /** Set while the state is `loaded`. */
  readonly value: Value | null;
  /** Why it could not be loaded; null otherwise. */
  readonly reason: string | null;
}

/** A loaded model that stays loaded until it is released. */
export interface Lease<Value extends Loaded> {
  readonly value: Value;
  release(): void;
}

/** A model that could not be loaded is not tried again for every request. */
const retryMilliseconds = 30_000;
/** After which a refused request may find room. */
const retryAfterSeconds = 10;

class Entry<Value extends Loaded> implements PoolEntry<Value> {
  readonly source: PoolModel<Value> | null;
  readonly name: string;
  state: ModelState = 'not_loaded';
  value: Value | null = null;
  failure: { readonly error: TillerError; readonly at: number } | null = null;
  /** What it was measured to need. */
  bytes = 0;
  leases = 0;
  lastUsed = 0;
  /** The load under way, for all who ask meanwhile. */
  loading: Promise<Value> | null = null;
  unloading: Promise<void> | null = null;

  constructor(name: string, source: PoolModel<Value> | null) {
    this.name = name;
    this.source = source;
  }

  get reason(): string | null {
    return this.failure?.error.message ?? null;
  }

  get busy(): boolean {
    return this.leases > 0 || (this.value?.busy() ?? false);
  }

  answersTo(name: string): boolean {
    return this.name.toLowerCase() === name || this.value?.id.toLowerCase() === name;
  }
}

/**
 * The models of a process: each is loaded when it is first asked for and stays until its memory is needed for another. Models are
 * loaded one after the other, while those that are loaded go on answering; whoever asks for a model that is being loaded waits for
 * that load. One that cannot be loaded leaves the others as they are.
 */
export class ModelPool<Value extends Loaded> {
  readonly #entries: Entry<Value>[];
  readonly #budget: number | null;
  readonly #onChange: NonNullable<ModelPoolOptions<Value>['onChange']>;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  /** Loads and what they unload happen in turn. */
  #turn: Promise<unknown> = Promise.resolve();
  #uses = 0;

  /** Throws `invalid_request` for two models of one name. */
  constructor({ models, budgetBytes, onChange = () => {}, now = () => performance.now() }: ModelPoolOptions<Value>) {
    const twice = models.find(({ name }, index) => models.findIndex((other) => sameName(other.name, name)) < index);
    if (twice) {
      const message = `Two of the models are called '${twice.name}'. Serve one of them, or rename its folder.`;
      throw new TillerError('invalid_request', message, { param: 'model' });
    }
    this.#entries = models.map((model) => new Entry(model.name, model));
    this.#budget = budgetBytes;
    this.#onChange = onChange;
    this.#now = now;
  }

  /** A model that is loaded already and stays. */
  adopt(value: Value): void {
    const entry = new Entry<Value>(value.id, null);
    this.#entries.push(entry);
    this.#become(entry, 'loaded', value);
  }

  /** All that may be asked for, in the order given. */
  list(): readonly PoolEntry<Value>[] {
    return this.#entries;
  }

  /** Those that are loaded. */
  loaded(): readonly Value[] {
    return this.#entries.flatMap(({ value }) => (value === null ? [] : [value]));
  }

  /** Throws `model_not_found` with the nearest names. */
  find(name: string): PoolEntry<Value> {
    return this.#find(name);
  }

  /** The same, but null where nothing is called so. */
  lookUp(name: string): PoolEntry<Value> | null {
    return this.#called(name) ?? null;
  }

  /**
   * The model, loaded if it is not, and kept until it is released. Throws `model_not_found`; `model_unavailable` where it cannot be
   * loaded (with the reason) or has no room now (with seconds after which to try again); `cancelled` when the signal comes first.
   */
  async lease(name: string, signal?: AbortSignal): Promise<Lease<Value>> {
    const entry = this.#find(name);
    entry.lastUsed = ++this.#uses;
    if (entry.value === null) this.#refuseAfterFailure(entry);
    // held from now on: what is loaded for this request must still be there when it gets its turn
    entry.leases++;
    let held = true;
    const release = () => {
      if (held) entry.leases--;
      held = false;
    };
    try {
      const value = entry.value ?? (await unlessAborted(this.#load(entry), signal));
      return { value, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Loads a model, whatever was said of it before. Throws like `lease`. */
  async load(name: string, signal?: AbortSignal): Promise<PoolEntry<Value>> {
    const entry = this.#find(name);
    entry.lastUsed = ++this.#uses;
    if (entry.value === null) await unlessAborted(this.#load(entry), signal);
    return entry;
  }

  /**
   * Gives a model's memory back; does nothing where it is not loaded. Throws `model_busy` while requests use it or it is being
   * loaded, `unsupported` for one that could not be loaded again.
   */
  async unload(name: string): Promise<PoolEntry<Value>> {
    const entry = this.#find(name);
    if (entry.unloading) await entry.unloading;
    if (entry.loading || (entry.value !== null && entry.busy)) {
      const what = entry.loading ? 'is being loaded' : 'has running requests';
      throw new TillerError('model_busy', `'${entry.name}' ${what} and is not unloaded now: try again later.`, {
        param: 'model',
        retryAfterSeconds,
      });
    }
    if (entry.value === null) return entry;
    if (entry.source === null) {
      const message = `'${entry.name}' could not be loaded again: it is not unloaded.`;
      throw new TillerError('unsupported', message, { param: 'model' });
    }
    await this.#unload(entry);
    return entry;
  }

  /** Ends the loads under way, and begins no more. */
  stopLoading(): void {
    this.#closing.abort(new TillerError('draining', 'The service is shutting down.'));
  }

  /** Ends loads and closes every model. */
  async close(): Promise<void> {
    this.stopLoading();
    await this.#turn.catch(() => undefined);
    for (const entry of this.#entries) {
      await entry.unloading;
      if (entry.value !== null) await this.#unload(entry);
    }
  }

  #find(name: string): Entry<Value> {
    const found = this.#called(name);
    if (found) return found;
    const names = this.#entries.map((entry) => entry.value?.id ?? entry.name);
    const near = nearest(name, names);
    const are = names.length === 1 ? `'${names[0]}' is` : `${names.map((known) => `'${known}'`).join(', ')} are`;
    throw new TillerError('model_not_found', `No model '${name}' is served; ${are}.`, {
      param: 'model',
      suggestions: near.length > 0 ? near : names,
    });
  }

  #called(name: string): Entry<Value> | undefined {
    const wanted = name.toLowerCase();
    return this.#entries.find((entry) => entry.answersTo(wanted));
  }

  #refuseAfterFailure({ failure, name, loading }: Entry<Value>): void {
    if (failure === null || loading) return;
    const left = retryMilliseconds - (this.#now() - failure.at);
    if (left > 0) throw unavailable(name, failure.error, left / 1000);
  }

  #load(entry: Entry<Value>): Promise<Value> {
    entry.loading ??= this.#loadOnce(entry).finally(() => {
      entry.loading = null;
    });
    return entry.loading;
  }

  async #loadOnce(entry: Entry<Value>): Promise<Value> {
    const { source, name } = entry;
    if (source === null) throw new TillerError('model_unavailable', `'${name}' cannot be loaded.`, { param: 'model' });
    await entry.unloading;
    entry.failure = null;
    this.#become(entry, 'loading');
    const { signal } = this.#closing;
    try {
      const needed = await source.measure(signal);
      const value = await this.#inTurn(async () => {
        signal.throwIfAborted();
        await this.#makeRoom(entry, needed);
        entry.bytes = needed;
        const loaded = await source.load(signal);
        const other = this.#entries.find((one) => one !== entry && one.answersTo(loaded.id.toLowerCase()));
        if (!other && !signal.aborted) return loaded;
        await loaded.close();
        signal.throwIfAborted();
        throw new TillerError(
          'model_unavailable',
          `It is '${loaded.id}', which is served as '${other?.name}' already.`,
        );
      });
      this.#become(entry, 'loaded', value);
      return value;
    } catch (thrown) {
      const error = asTillerError(thrown, 'model_unavailable');
      // no room is no fault of the model: it is tried again as soon as somebody asks
      const noRoom = thrown instanceof NoRoom;
      if (!noRoom) entry.failure = { error, at: this.#now() };
      this.#become(entry, noRoom ? 'not_loaded' : 'failed');
      throw noRoom ? error : unavailable(name, error, retryMilliseconds / 1000);
    }
  }

  async #makeRoom(entry: Entry<Value>, needed: number): Promise<void> {
    if (this.#budget === null) return;
    // what is on its way out still holds its memory
    await Promise.all(this.#entries.map((one) => one.unloading));
    const residents = this.#entries.flatMap((one) => {
      if (one === entry || one.value === null) return [];
      const busy = one.busy || one.source === null;
      return [{ name: one.name, bytes: one.bytes, busy, lastUsed: one.lastUsed }];
    });
    const plan = planRoom(residents, needed, this.#budget);
    if (!plan.fits) throw new NoRoom(entry.name, needed, this.#budget, plan);
    // all are marked before the first is closed, so that no request gets hold of one meanwhile
    await Promise.all(this.#entries.filter(({ name }) => plan.unload.includes(name)).map((one) => this.#unload(one)));
  }

  #unload(entry: Entry<Value>): Promise<void> {
    const { value } = entry;
    this.#become(entry, 'unloading');
    entry.unloading = (async () => {
      try {
        await value?.close();
      } finally {
        entry.unloading = null;
        if (entry.state === 'unloading') this.#become(entry, 'not_loaded');
      }
    })();
    return entry.unloading;
  }

  #become(entry: Entry<Value>, state: ModelState, value: Value | null = null): void {
    entry.state = state;
    entry.value = value;
    this.#onChange({ model: entry.name, state, reason: entry.reason });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** A model that does not fit beside those that are in use. */
class NoRoom extends TillerError {
  constructor(
    name: string,
    needed: number,
    budget: number,
    plan: { readonly never: boolean; readonly busy: readonly string[] },
  ) {
    const needs = `'${name}' needs about ${gigabytes(needed)} of memory`;
    const message = plan.never
      ? `${needs}, more than the whole budget of ${gigabytes(budget)}: raise --memory-budget-bytes, or give it less with --kv-cache-bytes.`
      : `${needs}; within the budget of ${gigabytes(budget)} there is none beside ${plan.busy.join(', ')}, which ` +
        `${plan.busy.length === 1 ? 'has' : 'have'} running requests. Try again later, or raise --memory-budget-bytes.`;
    super('model_unavailable', message, { param: 'model', ...(plan.never ? {} : { retryAfterSeconds }) });
  }
}

function unavailable(name: string, error: TillerError, seconds: number): TillerError {
  if (error.code === 'draining') return error;
  const message = `'${name}' could not be loaded: ${error.message}`;
  return new TillerError('model_unavailable', message, { param: 'model', retryAfterSeconds: seconds, cause: error });
}

/** The work's result, unless the caller leaves first; the work goes on for whoever else waits for it. */
function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const leave = () => reject(new TillerError('cancelled', 'The client left while the model was being loaded.'));
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toPrecision(3)} GB`;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
