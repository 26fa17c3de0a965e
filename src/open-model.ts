import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { catalog } from '../engine/checkpoint/acquire/catalog.ts';
import { openCheckpoint } from '../engine/checkpoint/index.ts';
import {
  createEngine,
  createPrefixSharing,
  type Engine,
  type EngineObserver,
  hookPointShapes,
  keepUnembedding,
  type LoadedModel,
  loadModel,
  modelNeeds,
  openUnembedding,
  type ProgressListener,
  possiblePrecisions,
  TillerError,
} from '../engine/index.ts';
import type { ModelCapacity } from '../routes/services.ts';
import {
  bundledSources,
  type NamedPath,
  openRegistry,
  ResidentMatrices,
  rememberedSources,
  type Store,
} from '../sae-registry/index.ts';
import type { Config } from './config.ts';
import { expectedOperators } from './expected-operators.ts';
import { type MemoryLimits, memoryBudget, modelBytes, readMachine, resolveLimits } from './limits.ts';
import { getModelFiles } from './model-files.ts';
import type { ReadyModel } from './services.ts';

export interface OpenModelOptions {
  readonly onProgress?: ProgressListener;
  readonly onNotice?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Where what is known of sources is kept; in memory where none is given. */
  readonly store?: Store;
  /** Gives the observer of the model's engine, by the model's id. */
  readonly observe?: (modelId: string) => EngineObserver;
}

/** Everything from configuration to a model that answers: files, weights, graphs, dictionaries, engine. */
export async function openModel(config: Config, options: OpenModelOptions = {}): Promise<ReadyModel> {
  const { onProgress, onNotice, signal, observe, store } = options;
  const files = await getModelFiles(config, { onProgress, onNotice, signal });
  signal?.throwIfAborted();
  const { threads, precision, operators, warmUp } = config;
  const machine = machineOf(config);
  const model = await loadModel({
    path: files.path,
    cacheDirectory: config.cacheDir,
    slots: (needs) => resolveLimits(config, { ...machine, ...needs }).maxRows,
    context: config.context,
    threads,
    precision,
    operators,
    warmUp,
    encoderBytes: config.encoderMemoryBytes,
    onProgress,
  });
  try {
    const id = modelId(files.name, model.hash);
    const { dModel, blocks } = model.config;
    const bundled = bundledSources().filter((source) => source.startsWith(`${id}/`));
    const registry = await openRegistry({
      model: { id, dModel, blocks, hash: model.hash, hookPoints: hookPointShapes(model.config) },
      sources: config.source.length > 0 ? config.source : [...bundled, ...addedSources(id, store)],
      ...collectedNorms(config, id, model.hash),
      ...(config.saeMemoryBytes === null ? {} : { resident: new ResidentMatrices(config.saeMemoryBytes) }),
      store,
    });
    const limits = resolveLimits(config, { ...machine, ...model.needs });
    const capacity = capacityOf(limits, model, config);
    const engine = openEngine(model, limits, capacity, config, observe?.(id));
    const close = async () => {
      await engine.close();
      await model.encoder.close();
    };
    const loadedUnixSeconds = Math.floor(Date.now() / 1000);
    const unembedding = keepUnembedding(() => openUnembedding(files.path), config.unembeddingMemoryBytes);
    return { id, model, engine, registry, unembedding, limits, capacity, loadedUnixSeconds, close };
  } catch (error) {
    await model.encoder.close();
    await model.executor.close();
    throw error;
  }
}

/** What of the machine the configured models share. */
function machineOf(config: Config) {
  const { memoryBytes } = readMachine();
  const budget = memoryBudget(config, memoryBytes) ?? memoryBytes;
  return { memoryBytes: Math.min(memoryBytes, budget), cores: config.threads, models: config.models.length };
}

/**
 * What the configured model will need at most once it is loaded, from its headers alone; its files are fetched where they are not there.
 * For `auto` that is what it takes in the precision that takes most.
 */
export async function measureModel(config: Config, options: OpenModelOptions = {}): Promise<number> {
  const { onProgress, onNotice, signal } = options;
  const files = await getModelFiles(config, { onProgress, onNotice, signal });
  const checkpoint = await openCheckpoint(files.path);
  await checkpoint.close();
  const operators = await expectedOperators(config);
  const machine = machineOf(config);
  const totals = possiblePrecisions(config.precision).map((precision) => {
    const needs = modelNeeds(checkpoint, precision, operators);
    return modelBytes(needs) + resolveLimits(config, { ...machine, ...needs }).keyValueBytes;
  });
  return Math.max(...totals);
}

function capacityOf(limits: MemoryLimits, { needs }: LoadedModel, config: Config): ModelCapacity {
  return {
    rows: limits.maxRows,
    keyValueTokens: Math.floor(limits.keyValueBytes / needs.tokenBytes),
    prefixCacheTokens: Math.floor(limits.prefixCacheBytes / needs.tokenBytes),
    queueLimit: config.queueLimit,
    queueSeconds: config.queueSeconds === 0 ? null : config.queueSeconds,
  };
}

function openEngine(
  model: LoadedModel,
  limits: MemoryLimits,
  { keyValueTokens, queueLimit, queueSeconds }: ModelCapacity,
  { prefillRatio }: Config,
  observer?: EngineObserver,
): Engine {
  const { executor, tokenizer, hash, precision, operators } = model;
  return createEngine({
    executor,
    tokenizer,
    eosTokenIds: model.config.eosTokenIds,
    queueLimit,
    keyValueTokenLimit: keyValueTokens,
    queueTimeLimitMilliseconds: queueSeconds === null ? null : queueSeconds * 1000,
    prefillRatio,
    prefix: createPrefixSharing({
      blocks: executor.blocks,
      budgetBytes: limits.prefixCacheBytes,
      salt: `${hash} ${precision} ${operators}`,
    }),
    observer,
  });
}

/** What `tiller sae add` left for a model. Throws `source_invalid`, with the way out, where its files are gone. */
function addedSources(model: string, store: Store | undefined): readonly NamedPath[] {
  return (store ? rememberedSources(store, model) : []).map(({ name, path, origin }) => {
    if (existsSync(path)) return { name, path };
    const id = `${model}/${name}`;
    const message = `The files of ${id} are gone from ${path}. Take it away (tiller sae remove ${id}), or get it again (tiller sae add ${origin}).`;
    throw new TillerError('source_invalid', message, { param: 'source' });
  });
}

/** Where `tiller collect` leaves a model's stream norms. */
export function streamNormsPath(config: Config, modelId: string, hash: string): string {
  return join(config.cacheDir, 'statistics', `${modelId}-${hash.slice(0, 16)}`, 'stream-norms.json');
}

/** Norms collected on this machine come before the bundled ones. */
function collectedNorms(config: Config, modelId: string, hash: string): { readonly streamNorms?: string } {
  const path = streamNormsPath(config, modelId, hash);
  return existsSync(path) ? { streamNorms: path } : {};
}

/** A catalog model keeps its name wherever its file lies, in a folder too; any other is called after its file or folder. */
export function modelId(name: string, hash: string): string {
  return catalog.find(({ file }) => file.sha256 === hash)?.name ?? name.toLowerCase();
}
