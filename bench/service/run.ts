/** npm run bench:service. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { cacheDirectory, checkout } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { between, quantile, readHistogram } from '../histogram.ts';
import { installPackages } from '../install-packages.ts';
import { describeMachine } from '../machine.ts';
import { count, decimals, readOptions, retries, wholeNumber } from '../options.ts';
import { processorSecondsOf } from '../processor-time.ts';
import { seededRandom } from '../random.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { ServiceProcess } from '../service-process.ts';
import { streamCompletion } from '../stream-client.ts';
import { WorkerProcess } from '../worker-process.ts';
import { timing } from '../workers/protocol.ts';
import { arrivalTimes } from './arrivals.ts';
import { checkService } from './gates.ts';
import { loadFigures } from './load-figures.ts';
import { runOpenLoop } from './open-loop.ts';
import { measurePlainRoutes } from './plain-routes.ts';
import type { ServiceResults } from './results.ts';
import { completionBody, type PlannedRequest, planRequests } from './workload.ts';

const worker = join(import.meta.dirname, '..', 'workers', 'tiller.js');
const context = 2048;
const rangeRatio = 0.5;
/** Features that are there in any dictionary of a few thousand. */
const steeredFeatures = [7, 307, 511, 837, 1126, 2049, 3001, 3926] as const;
const connections = 10;

const options = readOptions(
  'bench:service',
  'Load over HTTP: open-loop streams, a closed batch, routes that generate nothing',
  {
    rounds: [count, '5', 'rounds of the closed batch'],
    streams: [count, '32', 'streams of the closed batch, and rows of the engine'],
    'prompt-len': [count, '64', 'tokens of prompt of each of them'],
    'max-tokens': [count, '64', 'tokens that each generates'],
    'request-rates': [decimals, '1,2,3', 'open loop: requests a second, with commas'],
    'num-prompts': [count, '40', 'open loop: requests at each rate'],
    'input-len': [count, '128', 'open loop: mean tokens of a prompt'],
    'output-len': [count, '48', 'open loop: mean tokens generated'],
    burstiness: [decimals.transform(([first]) => first), '1', 'open loop: 1 is Poisson, less is burstier'],
    seed: [wholeNumber, '0', 'of arrivals, lengths, prompts and steerings'],
    'slo-ttft': [count, '2000', 'milliseconds to the first token that a good request takes at most'],
    'slo-tpot': [count, '200', 'milliseconds a later token that a good request takes at most'],
    seconds: [count, '4', 'how long each route that generates nothing is loaded'],
    precision: [z.string(), 'f32', 'precision of the computation'],
    threads: [count, String(availableParallelism()), 'threads that compute'],
    retries,
    model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint'],
  },
);
const { precision, threads, streams, seed } = options;

const service = await startService();
try {
  const results = await run();
  console.log(`Written to ${writeResults('service', results)}`);
  process.exitCode = reportGates(checkService(results), options.check);
} finally {
  await service.stop();
}

function startService(): Promise<ServiceProcess> {
  const flags = { precision, threads, 'max-rows': streams, context };
  return ServiceProcess.start(
    options.model,
    Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
  );
}

async function run(): Promise<ServiceResults> {
  console.error('This takes about 5 minutes.');
  await installPackages();
  const machine = describeMachine(null);
  await service.waitForReady();
  const text = await service.tokenize(await readFile(join(checkout, 'LICENSE'), 'utf8'));
  const closed = await measureClosedBatch(text);
  const openLoop = await measureOpenLoop(text);
  const routes = await measurePlainRoutes(service.url, options.seconds, connections);
  return {
    machine,
    settings: { model: basename(options.model), precision, threads, rows: streams },
    openLoop,
    closedBatch: closed.batch,
    plainRoutes: { connections, seconds: options.seconds, routes },
    otherLoad: [...closed.otherLoad],
    disturbedRounds: closed.disturbedRounds,
  };
}

/** The same requests over HTTP and through the engine of another process, in turn. */
async function measureClosedBatch(text: readonly number[]) {
  const bare = new WorkerProcess('engine alone', worker);
  try {
    const load = { op: 'load', model: options.model, cacheDirectory, precision, threads, rows: streams, context };
    await bare.ask(z.null(), load);
    const overHttp = async (requests: readonly PlannedRequest[]) => {
      const delayBefore = await eventLoopDelay();
      const began = performance.now();
      const answers = await Promise.all(
        requests.map((request) => streamCompletion(`${service.url}/v1/completions`, completionBody(request))),
      );
      const seconds = (performance.now() - began) / 1000;
      const tokens = answers.reduce((sum, { outputTokens }) => sum + outputTokens, 0);
      return { rate: tokens / seconds, delay: quantile(between(delayBefore, await eventLoopDelay()), 0.99) };
    };
    const alone = async (requests: readonly PlannedRequest[]) => {
      const { tokens, seconds } = await bare.ask(timing, { op: 'batch', requests });
      return tokens / seconds;
    };
    const few = closedRequests(text, -1).map((request) => ({ ...request, maxTokens: 4 }));
    await overHttp(few);
    await alone(few);
    const ownSeconds = () => processorSeconds() + bare.cpuSeconds + processorSecondsOf(service.pid);
    const measured = await measureRounds(
      { rounds: options.rounds, retries: options.retries, ownSeconds },
      async (round) => {
        const requests = closedRequests(text, round);
        const engineFirst = round % 2 === 1 ? await alone(requests) : null;
        const http = await overHttp(requests);
        const engine = engineFirst ?? (await alone(requests));
        const headline = `${http.rate.toFixed(0)} tokens/s over HTTP, ${engine.toFixed(0)} alone, event loop p99 ${(http.delay * 1000).toFixed(1)} ms`;
        return { figures: { http, engine }, headline };
      },
    );
    const batch = {
      streams,
      promptTokens: options['prompt-len'],
      maxTokens: options['max-tokens'],
      rounds: options.rounds,
      http: measured.figures.map(({ http }) => http.rate),
      engine: measured.figures.map(({ engine }) => engine),
      eventLoopDelayP99: measured.figures.map(({ http }) => http.delay),
    };
    return { ...measured, batch };
  } finally {
    await bare.close();
  }
}

async function eventLoopDelay() {
  return readHistogram(await (await service.get('/metrics')).text(), 'tiller_event_loop_delay_seconds');
}

/** Other prompts in each round, so that nothing of them is cached. */
function closedRequests(text: readonly number[], round: number): PlannedRequest[] {
  const plan = { count: streams, inputLength: options['prompt-len'], outputLength: options['max-tokens'] };
  const fixed = { ...plan, text, rangeRatio: 0, steeredShare: 0, steerings: [] };
  return planRequests(fixed, seededRandom(seed + 1000 + round));
}

async function measureOpenLoop(text: readonly number[]): Promise<ServiceResults['openLoop']> {
  const source = await firstSource();
  const steerings = steeredFeatures.map((index) => ({
    edits: [{ feature: `${source}/${index}`, mode: 'add', strength: 0.5 }],
  }));
  const goodput = { ttft: options['slo-ttft'], tpot: options['slo-tpot'] };
  const lengths = { inputLength: options['input-len'], outputLength: options['output-len'], rangeRatio };
  const runs: ServiceResults['openLoop']['runs'] = [];
  for (const rate of options['request-rates']) {
    for (const steeredShare of [0, 0.5]) {
      const random = seededRandom(seed + runs.length);
      const requests = planRequests(
        { count: options['num-prompts'], text, ...lengths, steeredShare, steerings },
        random,
      );
      const arrivals = arrivalTimes(requests.length, rate, options.burstiness, random);
      const { streams: done, failures } = await runOpenLoop(service.url, requests, arrivals);
      const figures = loadFigures(done, failures.length, goodput);
      const { ttft_ms, itl_ms, output_throughput } = figures;
      console.error(
        `${rate} requests/s${steeredShare > 0 ? ', half of them steered' : ''}: TTFT p99 ${ttft_ms.p99.toFixed(0)} ms, ITL median ${itl_ms.median.toFixed(0)} ms, ${output_throughput.toFixed(0)} tokens/s, ${failures.length} failed`,
      );
      runs.push({ request_rate: rate, steered: steeredShare > 0, figures, failures: [...failures] });
    }
  }
  return {
    num_prompts: options['num-prompts'],
    burstiness: options.burstiness,
    seed,
    random_input_len: options['input-len'],
    random_output_len: options['output-len'],
    random_range_ratio: rangeRatio,
    goodput,
    steeredShare: 0.5,
    distinctSteerings: steerings.length,
    runs,
  };
}

/** A dictionary of the model that is served. */
async function firstSource(): Promise<string> {
  const schema = z.object({ models: z.array(z.object({ sources: z.array(z.string()) })) });
  const [source] = schema
    .parse(await (await service.get('/api/v1/models')).json())
    .models.flatMap((model) => model.sources);
  if (source === undefined)
    throw new Error('the model has no dictionary, which half of the requests would be steered with');
  return source;
}
