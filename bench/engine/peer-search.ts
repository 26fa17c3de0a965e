import { z } from 'zod';
import type { WorkerProcess } from '../worker-process.ts';
import { type PeerSettings, timing } from '../workers/protocol.ts';

/** What a setting may be good for: each has its own best. */
export const workloads = ['one row', 'several rows', 'prompts'] as const;
export type Workload = (typeof workloads)[number];

export interface Candidate extends PeerSettings {
  readonly tokensPerSecond: number;
}
export interface BestSettings {
  readonly workload: Workload;
  readonly best: PeerSettings;
  /** Everything tried, best first. */
  readonly tried: readonly Candidate[];
}

export interface SearchOptions {
  readonly cores: number;
  readonly rows: number;
  /** Token ids that prompts are cut from. */
  readonly text: readonly number[];
  /** How often each candidate is measured; 0 takes llama.cpp's own defaults without a search. */
  readonly passes: number;
}

/** llama.cpp's own default of `n_ubatch`, and what lies around it. */
const defaultBatchSize = 512;
const otherBatchSizes = [128, 256, 1024] as const;
/** Tokens of the longest prompt that the search uses. */
export const searchPrompt = 1024;
const searchSteps = { 'one row': 16, 'several rows': 3, prompts: 1 } as const;
const searchTokens = { 'one row': 256, 'several rows': 256, prompts: searchPrompt } as const;

/** 1, 2, 4, … and all cores. */
export function threadCounts(cores: number): number[] {
  const powers = Array.from({ length: 11 }, (_, exponent) => 2 ** exponent).filter((count) => count < cores);
  return [...powers, cores];
}

/**
 * Finds the settings with which llama.cpp is fastest at each kind of work: threads and flash attention together at the default batch
 * size, then the batch size for prompts. The candidates take turns; of each the best figure counts.
 */
export async function searchPeerSettings(worker: WorkerProcess, options: SearchOptions): Promise<BestSettings[]> {
  if (options.passes === 0) {
    const best = { threads: options.cores, flashAttention: false, batchSize: defaultBatchSize };
    return workloads.map((workload) => ({ workload, best, tried: [] }));
  }
  const pairs = threadCounts(options.cores).flatMap((threads) =>
    [false, true].map((flashAttention) => ({ threads, flashAttention, batchSize: defaultBatchSize })),
  );
  const found: BestSettings[] = [];
  for (const workload of workloads) {
    const tried = await measureAll(worker, workload, pairs, options);
    if (workload === 'prompts') {
      const { threads, flashAttention } = tried[0];
      const others = otherBatchSizes.map((batchSize) => ({ threads, flashAttention, batchSize }));
      tried.push(...(await measureAll(worker, workload, others, options)));
    }
    tried.sort((a, b) => b.tokensPerSecond - a.tokensPerSecond);
    const { tokensPerSecond: _, ...best } = tried[0];
    found.push({ workload, best, tried });
  }
  return found;
}

/** Best first. The candidates take turns, so that what disturbs the machine for a while does not decide. */
async function measureAll(
  worker: WorkerProcess,
  workload: Workload,
  candidates: readonly PeerSettings[],
  options: SearchOptions,
): Promise<Candidate[]> {
  const prompt = options.text.slice(0, searchTokens[workload]);
  const take = async (settings: PeerSettings, steps: number) => {
    const rows = workload === 'one row' ? 1 : options.rows;
    const request = workload === 'prompts' ? { op: 'prefill', prompt } : { op: 'decode', prompt, rows, steps };
    const { tokens, seconds } = await worker.ask(timing, { ...request, level: 'model', settings });
    return tokens / seconds;
  };
  const best = new Map<PeerSettings, number>();
  // the first pass opens contexts and is a warm-up
  for (let pass = 0; pass <= options.passes; pass++) {
    if (pass === 0 && workload === 'prompts') continue;
    for (const settings of candidates) {
      const rate = await take(settings, pass === 0 ? 1 : searchSteps[workload]);
      if (pass > 0) best.set(settings, Math.max(rate, best.get(settings) ?? 0));
    }
  }
  await worker.ask(z.null(), { op: 'release' });
  const tried = [...best].map(([settings, tokensPerSecond]) => ({ ...settings, tokensPerSecond }));
  return tried.sort((a, b) => b.tokensPerSecond - a.tokensPerSecond);
}
