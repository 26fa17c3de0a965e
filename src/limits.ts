import { availableParallelism, freemem, totalmem } from 'node:os';
import type { WeightMemory } from '../engine/checkpoint/index.ts';
import { TillerError } from '../engine/core/index.ts';
import type { Config } from './config.ts';

/** Node.js, ONNX Runtime and Tiller's own modules, before any model: measured. */
export const processBytes = 120e6;
/**
 * Of a loaded model besides its weights, keys and values, over the tokens of its vocabulary: the tokenizer above all, graphs, features, what
 * a step works in. Measured with the default model: 78 MB.
 */
export const vocabularyBytes = 1600;
/** Share of the memory left after that which keys and values may take when nobody says: the machine has other work too. */
export const keyValueShare = 1 / 4;
/** Share of those that the prefix cache may take. Rows that need it come first; it gives way. */
export const prefixShare = 1 / 2;
/** Most rows by default: where decoding stops gaining from more of them on the machines that this is for. */
const mostRows = 32;
/** Rows that a core is good for: beyond, every reply becomes slower and none comes sooner. */
const rowsPerCore = 16;
/** Tokens that every row should have room for, prompt and reply. */
const tokensPerRow = 512;
/** Fewest tokens of keys and values that make sense; below this the service is not started. */
const leastTokens = 64;

/** What decides how much fits. Bytes. */
export interface Capacity {
  /** Memory of the machine, or what a container may use of it. */
  readonly memoryBytes: number;
  /** Of the model's weights, loaded in its precision. */
  readonly weights: WeightMemory;
  /** Tokens of its vocabulary. */
  readonly vocabulary: number;
  /** Of the keys and values of one token. */
  readonly tokenBytes: number;
  /** Tokens that the model itself can read. */
  readonly contextLength: number;
  /** Threads that compute. */
  readonly cores: number;
  /** Models that share the memory; 1 where nothing is said. */
  readonly models?: number;
}

export interface MemoryLimits {
  /** Requests that are computed together. */
  readonly maxRows: number;
  /** Tokens of one sequence, prompt and reply. */
  readonly context: number;
  /** Keys and values of rows and prefix cache together, at most. */
  readonly keyValueBytes: number;
  /** Of those, what the prefix cache may take; 0 switches it off. */
  readonly prefixCacheBytes: number;
}

/**
 * Limits for a machine: a quarter of the memory that the model leaves goes to keys and values, but no more than fills every
 * row twice over, and at least what a row of 512 tokens needs; half of it may be prefixes. 32 rows, fewer where there are
 * fewer than two cores or where memory has no room for 512 tokens a row. Memory is taken as it is needed, never
 * at once. Of several models each has its part of that quarter.
 */
export function defaultLimits(capacity: Capacity): MemoryLimits {
  const { memoryBytes, tokenBytes, contextLength, cores, models = 1 } = capacity;
  const left = Math.max(0, memoryBytes - processBytes - modelBytes(capacity));
  const most = 2 * mostRows * contextLength * tokenBytes;
  const least = tokensPerRow * tokenBytes;
  const keyValueBytes = Math.floor(Math.max(least, Math.min((left * keyValueShare) / models, most)));
  return {
    maxRows: rowsFor(keyValueBytes, capacity, cores),
    context: contextLength,
    keyValueBytes,
    prefixCacheBytes: Math.floor(keyValueBytes * prefixShare),
  };
}

function rowsFor(keyValueBytes: number, { tokenBytes }: Capacity, cores: number): number {
  const fitting = Math.floor(keyValueBytes / tokenBytes / tokensPerRow);
  return Math.max(1, Math.min(mostRows, rowsPerCore * cores, fitting));
}

type LimitSettings = Pick<Config, 'maxRows' | 'context' | 'keyValueBytes' | 'prefixCacheBytes'>;

/**
 * The limits that hold: what was configured, and for the rest what follows from it and from the machine. Throws
 * `invalid_request` for settings that contradict each other.
 */
export function resolveLimits(settings: LimitSettings, capacity: Capacity): MemoryLimits {
  const defaults = defaultLimits(capacity);
  const keyValueBytes = settings.keyValueBytes ?? defaults.keyValueBytes;
  const { tokenBytes, contextLength, cores } = capacity;
  if (keyValueBytes < leastTokens * tokenBytes) {
    const message =
      `--kv-cache-bytes ${keyValueBytes} holds fewer than ${leastTokens} tokens of this model (${tokenBytes} bytes each): ` +
      `give at least ${leastTokens * tokenBytes}.`;
    throw new TillerError('invalid_request', message, { param: 'kv-cache-bytes' });
  }
  const prefixCacheBytes = settings.prefixCacheBytes ?? Math.floor(keyValueBytes * prefixShare);
  if (prefixCacheBytes > keyValueBytes) {
    const message = `--prefix-cache-bytes ${prefixCacheBytes} is more than --kv-cache-bytes ${keyValueBytes}, which it is a part of.`;
    throw new TillerError('invalid_request', message, { param: 'prefix-cache-bytes' });
  }
  return {
    maxRows: settings.maxRows ?? rowsFor(keyValueBytes, capacity, cores),
    context: Math.min(settings.context ?? contextLength, contextLength),
    keyValueBytes,
    prefixCacheBytes,
  };
}

/** Share of the machine's memory that several models may take together where nobody says. */
const budgetShare = 0.8;

/** What all loaded models may need together; null: no limit, as for a single model of which nothing is said. */
export function memoryBudget(
  { memoryBudgetBytes, models }: Pick<Config, 'memoryBudgetBytes' | 'models'>,
  memoryBytes: number,
): number | null {
  return memoryBudgetBytes ?? (models.length > 1 ? Math.floor(memoryBytes * budgetShare) : null);
}

/** What a loaded model takes at most, keys and values apart: mapped files count in full, though the system may take their pages back. */
export function modelBytes({ weights, vocabulary }: Pick<Capacity, 'weights' | 'vocabulary'>): number {
  return weights.mapped + weights.packed + vocabulary * vocabularyBytes;
}

/** The machine's part of a capacity. `available` is what is free now. A container's limit counts where there is one. */
export function readMachine(): {
  readonly memoryBytes: number;
  readonly availableBytes: number;
  readonly cores: number;
} {
  const limit = process.constrainedMemory();
  const memoryBytes = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { memoryBytes, availableBytes: Math.min(memoryBytes, freemem()), cores: availableParallelism() };
}

/** The limits in a sentence, for the log and `tiller doctor`: what they are and where they come from. */
export function explainLimits(
  settings: LimitSettings & Partial<Pick<Config, 'models'>>,
  limits: MemoryLimits,
  tokenBytes: number,
): string {
  const models = settings.models?.length ?? 1;
  const quarter = `a quarter of the memory left${models > 1 ? `, shared by ${models} models` : ''}`;
  const from = (value: unknown, otherwise: string) => (value === null ? otherwise : 'as configured');
  const tokens = (bytes: number) => Math.floor(bytes / tokenBytes).toLocaleString('en');
  return [
    `${limits.maxRows} rows (${from(settings.maxRows, 'by cores and memory')})`,
    `${limits.context} tokens a row (${from(settings.context, "the model's own limit")})`,
    `${tokens(limits.keyValueBytes)} tokens of keys and values in all (${from(settings.keyValueBytes, quarter)})`,
    limits.prefixCacheBytes === 0
      ? 'no prefix cache (as configured)'
      : `${tokens(limits.prefixCacheBytes)} of them for prefixes (${from(settings.prefixCacheBytes, 'half')})`,
  ].join(', ');
}
