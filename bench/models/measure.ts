import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { readMemory } from '../process-memory.ts';
import { WorkerProcess } from '../worker-process.ts';
import { type Timing, timing } from '../workers/protocol.ts';
import { batchRows, type PrecisionFigures } from './results.ts';

const workerScript = join(import.meta.dirname, '..', 'workers', 'tiller.js');
const sampleMilliseconds = 100;
const promptTokens = 32;
const context = 1024;
/** Room for every row, and for what rows generate until all have begun. */
const keyValueBytes = '1000000000';

export interface MeasureOptions {
  readonly model: string;
  /** Empty but for Tiller's own operators. */
  readonly cacheDirectory: string;
  readonly precision: string;
  readonly threads: number;
  readonly rounds: number;
  readonly steps: number;
  readonly batchSteps: number;
  readonly prefillTokens: number;
}

/** Processor seconds of the workers are told besides, for the load of others. */
export interface Measured {
  readonly figures: Omit<PrecisionFigures, 'choice' | 'checkpointBytes'>;
  readonly cpuSeconds: number;
}

/** Loads a checkpoint twice, with nothing prepared and again, and measures the second process. */
export async function measurePrecision(options: MeasureOptions): Promise<Measured> {
  const first = await started(options);
  await first.worker.close();
  const { worker, seconds } = await started(options);
  try {
    const loadedBytes = readMemory(worker.pid).resident;
    const ask = (request: { readonly op: string; readonly [field: string]: unknown }) => worker.ask(timing, request);
    const decode = (rows: number, steps: number) =>
      ask({ op: 'decode', level: 'service', prompt: ids(promptTokens), rows, steps });
    const prefill = () => ask({ op: 'prefill', level: 'service', prompt: ids(options.prefillTokens) });
    const speeds = { decodeOne: [] as number[], decodeBatch: [] as number[], prefill: [] as number[] };
    const workingBytes = await mostResident(worker.pid, async () => {
      // mapped weights come into memory with the first steps
      await prefill();
      await decode(1, 1);
      for (let round = 0; round < options.rounds; round++) {
        speeds.decodeOne.push(speed(await decode(1, options.steps)));
        speeds.decodeBatch.push(speed(await decode(batchRows, options.batchSteps)));
        speeds.prefill.push(speed(await prefill()));
      }
    });
    return {
      figures: {
        preparedBytes: await bytesIn(join(options.cacheDirectory, 'weights')),
        firstLoadSeconds: first.seconds,
        loadSeconds: seconds,
        loadedBytes,
        workingBytes,
        peakBytes: readMemory(worker.pid).peak,
        ...speeds,
      },
      cpuSeconds: first.worker.cpuSeconds + worker.cpuSeconds,
    };
  } finally {
    await worker.close();
  }
}

async function started({ model, cacheDirectory, precision, threads }: MeasureOptions) {
  const worker = new WorkerProcess(`${model} in ${precision}`, workerScript);
  const began = performance.now();
  try {
    const how = { cacheDirectory, precision, threads, rows: batchRows, context, warmUp: 'none', keyValueBytes };
    await worker.ask(z.null(), { op: 'load', model, ...how });
    return { worker, seconds: (performance.now() - began) / 1000 };
  } catch (error) {
    await worker.close();
    throw error;
  }
}

async function mostResident(pid: number, work: () => Promise<void>): Promise<number> {
  let running = true;
  let most = 0;
  const sampling = (async () => {
    while (running) {
      most = Math.max(most, readMemory(pid).resident);
      await delay(sampleMilliseconds);
    }
  })();
  try {
    await work();
  } finally {
    running = false;
    await sampling;
  }
  return Math.max(most, readMemory(pid).resident);
}

/** Bytes of the files in a folder, and in those in it; of one file, where it is one. */
export async function bytesIn(path: string): Promise<number> {
  const stats = await stat(path).catch(() => null);
  if (!stats?.isDirectory()) return stats?.size ?? 0;
  let sum = 0;
  for (const name of await readdir(path)) sum += await bytesIn(join(path, name));
  return sum;
}

const ids = (length: number) => Array.from({ length }, (_, i) => 300 + ((i * 7) % 20_000));
const speed = ({ tokens, seconds }: Timing) => tokens / seconds;
