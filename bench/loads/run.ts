/** npm run bench:loads. What is measured and how: bench/README.md. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, retries } from '../options.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { WorkerProcess } from '../worker-process.ts';
import { checkLoads } from './gates.ts';
import { type LoadCase, loadCases } from './plan.ts';
import type { LoadsResults } from './results.ts';

const workerScript = join(import.meta.dirname, '..', 'workers', 'tiller.js');
const rows = 8;
const context = 1024;

const options = readOptions('bench:loads', 'Time to load a model whose files are prepared, in every precision', {
  rounds: [count, '5', 'loads of each model in each precision'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
  retries,
});

/** Processor seconds of the workers that have ended. */
let workerSeconds = 0;

const results = await run();
console.log(`Written to ${writeResults('loads', results)}`);
process.exitCode = reportGates(checkLoads(results), options.check);

async function run(): Promise<LoadsResults> {
  const machine = describeMachine(null);
  await acquireModel(defaultModelName, { cacheDirectory });
  const taking = loadCases.flatMap((each) => each.precisions.map((precision) => ({ ...each, precision })));
  console.error('Loading each once, so that everything is prepared');
  for (const each of taking) await load(each);
  const ownSeconds = () => processorSeconds() + workerSeconds;
  const { rounds, threads } = options;
  const measured = await measureRounds({ rounds, retries: options.retries, ownSeconds }, async (round) => {
    // another one begins each round: none always follows the same
    const order = taking.map((_, i) => (i + round) % taking.length);
    const figures: number[] = [];
    for (const i of order) figures[i] = await load(taking[i]);
    return { figures, headline: `${figures.map((seconds) => seconds.toFixed(2)).join(', ')} s` };
  });
  return {
    machine,
    settings: { rounds, threads },
    loads: taking.map(({ title, precision, limit }, i) => ({
      title,
      precision,
      limit,
      seconds: measured.figures.map((figures) => figures[i]),
    })),
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

/** Seconds of one load by a process of its own, as `tiller serve` would. */
async function load({ title, model, precision }: LoadCase & { readonly precision: string }): Promise<number> {
  const worker = new WorkerProcess(`${title} in ${precision}`, workerScript);
  const began = performance.now();
  try {
    const how = { cacheDirectory, precision, threads: options.threads, rows, context };
    await worker.ask(z.null(), { op: 'load', model, ...how });
    return (performance.now() - began) / 1000;
  } finally {
    workerSeconds += worker.cpuSeconds;
    await worker.close();
  }
}
