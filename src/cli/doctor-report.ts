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
import { asTillerError } from '../../engine/core/index.ts';
import type { Config } from '../config.ts';
import { explainLimits, type MemoryLimits, readMachine, residentWeightFactor, resolveLimits } from '../limits.ts';
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
  /** 2.6 × the f32 weights: the weights, what ONNX Runtime packs of them, and the process itself. An upper estimate. */
  readonly weights: number;
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
    models: catalog.map((model) => estimate(model, config, memory)),
    published: publishedModels.map((model) => estimatePublished(model, memory.available)),
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

type LimitSettings = Pick<Config, 'context' | 'maxRows' | 'keyValueBytes' | 'prefixCacheBytes' | 'threads'>;

/** What a model takes, what `tiller serve` would let requests take beside it, and whether both are free now. */
export function estimate(model: CatalogModel, config: LimitSettings, memory: DoctorReport['memory']): ModelEstimate {
  const { parameters, keyValueBytesPerToken: tokenBytes, contextLength } = model.size;
  const weightBytes = parameters * 4;
  const capacity = { memoryBytes: memory.total, weightBytes, tokenBytes, contextLength, cores: config.threads };
  const limits = resolveLimits(config, capacity);
  const weights = Math.round(weightBytes * residentWeightFactor);
  const { available } = memory;
  const fits = weights + limits.keyValueBytes <= available ? 'yes' : weights <= available ? 'partly' : 'no';
  return { name: model.name, weights, limits, explained: explainLimits(config, limits, tokenBytes), fits };
}
