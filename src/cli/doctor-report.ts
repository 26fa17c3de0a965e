import { arch, platform, release } from 'node:os';
import {
  type CacheEntry,
  type CatalogModel,
  catalog,
  existingFolder,
  freeBytes,
  inspectCache,
  runPython,
} from '../../engine/checkpoint/acquire/index.ts';
import { decoderWeightSizes, type WeightMemory } from '../../engine/checkpoint/index.ts';
import { asTillerError, type OperatorSet } from '../../engine/core/index.ts';
import { keyValueTypeOf, largestWeights, possiblePrecisions, tokenBytesOf } from '../../engine/model-needs.ts';
import type { Config } from '../config.ts';
import { expectedOperators } from '../expected-operators.ts';
import { explainLimits, type MemoryLimits, modelBytes, processBytes, readMachine, resolveLimits } from '../limits.ts';
import { defaultThreads, physicalCores } from '../processor.ts';
import { estimatePublished, type PublishedEstimate } from './published-estimate.ts';
import { publishedModels } from './published-models.ts';

/** What this machine can do, as far as it can be told without loading a model. Bytes throughout. */
export interface DoctorReport {
  readonly version: string;
  readonly platform: { readonly name: string; readonly release: string };
  readonly node: { readonly version: string; readonly supported: boolean };
  readonly processor: { readonly physical_cores: number | null; readonly default_threads: number };
  readonly memory: { readonly total: number; readonly available: number };
  readonly runtime: RuntimeReport;
  /** For Tiller's own operators; null where there is none. */
  readonly compiler: string | null;
  readonly python: { readonly pip: string | null; readonly problem: string | null };
  readonly cache: { readonly folder: string; readonly free: number | null; readonly models: readonly CacheEntry[] };
  /** What may be held of dictionaries beside each model, taken when they are used. `matrices`: null is no limit. */
  readonly dictionaries: { readonly matrices: number | null; readonly encoders: number; readonly unembedding: number };
  readonly models: readonly ModelEstimate[];
  /** Published models that can be had by their repository's name. */
  readonly published: readonly PublishedEstimate[];
}

export interface RuntimeReport {
  readonly path: string | null;
  /** Someone has run Tiller on this platform. */
  readonly tried: boolean;
  readonly problem: string | null;
}

export interface ModelEstimate {
  readonly name: string;
  /** In the configured precision, loaded by the operators that this machine has: weights, what comes with them, and the process. An upper estimate. */
  readonly needed: number;
  readonly weights: WeightMemory;
  /** What `tiller serve` would choose on this machine. */
  readonly limits: MemoryLimits;
  /** The same in words, with the reasons. */
  readonly explained: string;
  /** `partly`: it loads, but the memory that keys and values may take is not free now. */
  readonly fits: 'yes' | 'partly' | 'no';
}

const oldestNode = 20;

export async function gatherReport(config: Config, version: string): Promise<DoctorReport> {
  const machine = readMachine();
  const memory = { total: machine.memoryBytes, available: machine.availableBytes };
  const [runtime, compiler, python, free, cached] = await Promise.all([
    findRuntime(),
    findCompiler(),
    findPip(config),
    existingFolder(config.cacheDir)
      .then(freeBytes)
      .catch(() => null),
    inspectCache(config.cacheDir),
  ]);
  const node = process.versions.node;
  const operators = compiler === null ? 'onnxruntime' : await expectedOperators(config);
  return {
    version,
    platform: { name: `${platform()}-${arch()}`, release: release() },
    node: { version: node, supported: Number.parseInt(node, 10) >= oldestNode },
    processor: { physical_cores: physicalCores(), default_threads: defaultThreads() },
    memory,
    runtime,
    compiler,
    python,
    cache: { folder: config.cacheDir, free, models: cached },
    dictionaries: {
      matrices: config.saeMemoryBytes,
      encoders: config.encoderMemoryBytes,
      unembedding: config.unembeddingMemoryBytes,
    },
    models: catalog.map((model) => estimate(model, config, memory, operators)),
    published: publishedModels.map((model) => estimatePublished(model, memory.available, operators)),
  };
}

async function findRuntime(): Promise<RuntimeReport> {
  const { findRuntimeLibrary } = await import('../../engine/runtime/library.ts');
  try {
    const { path, tried } = findRuntimeLibrary();
    return { path, tried, problem: null };
  } catch (error) {
    return { path: null, tried: false, problem: asTillerError(error, 'runtime_unavailable').message };
  }
}

async function findCompiler(): Promise<string | null> {
  const { compilerVersion } = await import('../../engine/runtime/index.ts');
  return compilerVersion().catch(() => null);
}

async function findPip(config: Config): Promise<DoctorReport['python']> {
  try {
    const signal = AbortSignal.timeout(10_000);
    const found = await runPython(['-m', 'pip', '--version'], { signal, childEnvironment: config.childEnvironment });
    const line = found.output.trim().split('\n').at(-1) ?? '';
    return found.exitCode === 0 ? { pip: line, problem: null } : { pip: null, problem: line };
  } catch (error) {
    return { pip: null, problem: asTillerError(error).message };
  }
}

type EstimateSettings = Pick<
  Config,
  'context' | 'maxRows' | 'keyValueBytes' | 'prefixCacheBytes' | 'threads' | 'precision'
>;

/** What a model takes, what `tiller serve` would let requests take beside it, and whether both are free now. */
export function estimate(
  model: CatalogModel,
  config: EstimateSettings,
  memory: DoctorReport['memory'],
  operators: OperatorSet,
): ModelEstimate {
  const weights = largestWeights(decoderWeightSizes(model.size, model.stored), config.precision, operators);
  const tokenBytes = Math.max(
    ...possiblePrecisions(config.precision).map((precision) =>
      tokenBytesOf(model.size, keyValueTypeOf(precision, operators)),
    ),
  );
  const { context: contextLength, vocabulary } = model.size;
  const capacity = { memoryBytes: memory.total, weights, vocabulary, tokenBytes, contextLength, cores: config.threads };
  const limits = resolveLimits(config, capacity);
  const needed = processBytes + modelBytes(capacity);
  const { available } = memory;
  const fits = needed + limits.keyValueBytes <= available ? 'yes' : needed <= available ? 'partly' : 'no';
  return { name: model.name, needed, weights, limits, explained: explainLimits(config, limits, tokenBytes), fits };
}
