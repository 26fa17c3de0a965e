import { arch, freemem, platform, release, totalmem } from 'node:os';
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
import { defaultThreads, physicalCores } from '../processor.ts';

/** What this machine can do, as far as it can be told without loading a model. Bytes throughout. */
export interface DoctorReport {
  readonly version: string;
  readonly platform: { readonly name: string; readonly release: string };
  readonly node: { readonly version: string; readonly supported: boolean };
  readonly processor: { readonly physical_cores: number | null; readonly default_threads: number };
  readonly memory: { readonly total: number; readonly available: number };
  readonly runtime: RuntimeReport;
  readonly python: { readonly pip: string | null; readonly problem: string | null };
  readonly cache: { readonly folder: string; readonly free: number | null; readonly models: readonly CacheEntry[] };
  readonly models: readonly ModelEstimate[];
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
  /** Keys and values when every row is full: rows × context × bytes a token; taken only as rows fill. */
  readonly key_values: number;
  readonly rows: number;
  readonly context: number;
  /** `partly`: it loads, but not with every row full. */
  readonly fits: 'yes' | 'partly' | 'no';
}

const oldestNode = 20;
const weightFactor = 2.6;
const defaultContext = 2_048;

export async function gatherReport(config: Config, version: string): Promise<DoctorReport> {
  const memory = readMemory();
  const [runtime, python, free, cached] = await Promise.all([
    findRuntime(),
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
    python,
    cache: { folder: config.cacheDir, free, models: cached },
    models: catalog.map((model) => estimate(model, config, memory.available)),
  };
}

/** A container's limit counts where there is one. */
function readMemory(): DoctorReport['memory'] {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { total, available: Math.min(total, freemem()) };
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

export function estimate(
  model: CatalogModel,
  config: Pick<Config, 'context' | 'maxRows'>,
  available: number,
): ModelEstimate {
  const context = config.context ?? Math.min(model.size.contextLength, defaultContext);
  const weights = Math.round(model.size.parameters * 4 * weightFactor);
  const keyValues = config.maxRows * context * model.size.keyValueBytesPerToken;
  const fits = weights + keyValues <= available ? 'yes' : weights <= available ? 'partly' : 'no';
  return { name: model.name, weights, key_values: keyValues, rows: config.maxRows, context, fits };
}
