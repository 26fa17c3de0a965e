/** npm run bench:endurance. What is measured and how: bench/README.md. */
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { cacheDirectory } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, retries } from '../options.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { WorkerProcess } from '../worker-process.ts';
import { checkEndurance } from './gates.ts';
import { buildsReply, longReply, variantsReply } from './protocol.ts';
import type { EnduranceResults } from './results.ts';

const options = readOptions(
  'bench:endurance',
  'What stays flat: memory over variants, steps during a build, a long generation',
  {
    variants: [count, '30', 'sets of hook points used one after the other'],
    'variant-rows': [count, '8', 'rows that use them'],
    builds: [count, '4', 'variants built while rows decode'],
    'build-rows': [count, '16', 'those rows'],
    tokens: [count, '4000', 'tokens of the long generation'],
    precision: [z.string(), 'f32', 'precision of the computation'],
    threads: [count, String(availableParallelism()), 'threads that compute'],
    retries,
    model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint'],
  },
);
const { precision, threads, tokens } = options;
const window = Math.max(1, Math.min(250, tokens >> 2));
/** Where the long generation is compared with a fresh one: one window before its end. */
const fresh = tokens - window;

const results = await run();
console.log(`Written to ${writeResults('endurance', results)}`);
process.exitCode = reportGates(checkEndurance(results), options.check);

async function run(): Promise<EnduranceResults> {
  console.error('This takes about 5 minutes.');
  const machine = describeMachine(null);
  const { path: model } = await acquireModel(options.model, { cacheDirectory });
  const loads: number[] = [];
  let disturbedRounds = 0;
  /** One scenario in a process of its own, from the start again where others disturb it. */
  const scenario = async <Reply>(
    schema: z.ZodType<Reply>,
    rows: number,
    request: { readonly op: string; readonly [field: string]: unknown },
  ): Promise<Reply> => {
    let own = 0;
    const ownSeconds = () => own + processorSeconds();
    const once = async () => {
      const worker = new WorkerProcess(request.op, join(import.meta.dirname, 'worker.js'));
      try {
        const context = 2 * tokens;
        // where every hook point stands open from the start, nothing would have to be built
        const warmUp = request.op === 'builds' ? 'none' : 'common';
        // every set of edits has prompts of its own, whose keys and values would fill the prefix cache up to its limit
        const prefixCacheBytes = request.op === 'variants' ? '0' : undefined;
        const how = { cacheDirectory, precision, threads, rows, context, warmUp, prefixCacheBytes };
        await worker.ask(z.null(), { op: 'load', model, ...how });
        const figures = await worker.ask(schema, request);
        return { figures, headline: request.op };
      } finally {
        own += worker.cpuSeconds;
        await worker.close();
      }
    };
    const measured = await measureRounds({ rounds: 1, retries: options.retries, ownSeconds }, once);
    loads.push(...measured.otherLoad);
    disturbedRounds += measured.disturbedRounds;
    return measured.figures[0];
  };
  const [variantRows, buildRows] = [options['variant-rows'], options['build-rows']];
  const variants = { op: 'variants', variants: options.variants, rows: variantRows };
  const builds = { op: 'builds', builds: options.builds, rows: buildRows };
  return {
    machine,
    settings: {
      model: basename(options.model),
      precision,
      threads,
      variantRows,
      buildRows,
      longTokens: tokens,
      freshTokens: fresh,
    },
    variants: await scenario(variantsReply, variantRows, variants),
    builds: await scenario(buildsReply, buildRows, builds),
    long: await scenario(longReply, 1, { op: 'long', tokens, fresh, window }),
    otherLoad: loads,
    disturbedRounds,
  };
}
