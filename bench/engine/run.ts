/** npm run bench:engine. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { cacheDirectory, checkout } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { installPackages } from '../install-packages.ts';
import { describeMachine } from '../machine.ts';
import { count, counts, readOptions, retries, wholeNumber, words } from '../options.ts';
import { writeResults } from '../results.ts';
import type { Machine } from '../results-common.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { rotated } from '../statistics.ts';
import { writeGguf } from '../weights/write-gguf.ts';
import { WorkerProcess } from '../worker-process.ts';
import { continuation, type PeerSettings, timing, tokensReply } from '../workers/protocol.ts';
import { checkEngine } from './gates.ts';
import { searchPeerSettings, searchPrompt, type Workload } from './peer-search.ts';
import { type EngineSettings, engineChoices, type Measurement, planMeasurements, storedFile } from './plan.ts';
import type { EngineResults } from './results.ts';

const question = 'Explain in two sentences why the sky is blue.';
const guardTokens = 20;
/**
 * Threads of the engine measured before still spin on the cores when it is done: a prompt of 128 tokens right after it takes up to twice
 * as long, whoever reads it. Each measurement begins once they sleep.
 */
const settleMilliseconds = 400;
/** Room for rows that wait until all have begun. */
const spareContext = 1024;
/** The peer's version; Tiller answers nothing. */
const loadReply = z.object({ package: z.string(), release: z.string() }).nullable();

const options = readOptions('bench:engine', 'Decoding and prompts in every precision, side by side with llama.cpp', {
  rounds: [count, '5', 'rounds; every measurement is taken once in each'],
  steps: [count, '48', 'tokens that one row generates in a round'],
  'batch-steps': [count, '8', 'the same for each of several rows'],
  prompt: [count, '256', 'tokens of prompt before what is generated'],
  batches: [counts, '1,8,32', 'numbers of rows'],
  prefills: [counts, '128,512,2048', 'lengths of prompts timed by themselves'],
  engines: [words, engineChoices.map(({ id }) => id).join(','), 'engines that take part'],
  'search-passes': [wholeNumber, '2', 'times that each setting of llama.cpp is tried; 0 takes its defaults'],
  retries,
  threads: [count, String(availableParallelism()), "Tiller's threads; llama.cpp's are searched for"],
  model: [z.string(), defaultModelName, 'a model of the catalog, or a GGUF file'],
});

const settings: EngineSettings = {
  rounds: options.rounds,
  promptTokens: options.prompt,
  steps: options.steps,
  batchSteps: options['batch-steps'],
  batches: options.batches,
  prefills: options.prefills,
  threads: options.threads,
};
const taking = engineChoices.filter(({ id }) => options.engines.includes(id));
const unknown = options.engines.filter((id) => !taking.some((choice) => choice.id === id));
if (unknown.length > 0) throw new Error(`there is no engine ${unknown.join(', ')}`);

const workers = new Map<string, WorkerProcess>();
const best = new Map<string, PeerSettings>();
try {
  const results = await run();
  console.log(`Written to ${writeResults('engine', results)}`);
  process.exitCode = reportGates(checkEngine(results), options.check);
} finally {
  await Promise.all([...workers.values()].map((worker) => worker.close()));
}

async function run(): Promise<EngineResults> {
  console.error('This takes about 10 minutes: 1 to load, 2 to find the settings of llama.cpp, the rest in rounds.');
  await installPackages();
  const { path } = await acquireModel(options.model, { cacheDirectory });
  const release = await load(path);
  const machine = describeMachine(release);
  const text = await readFile(join(checkout, 'LICENSE'), 'utf8');
  const ids = await worker(taking[0].id).ask(tokensReply, { op: 'tokens', text, question });
  const peerSettings = await findSettings(ids.text);
  const guard = { prompt: question, continuations: await continuations(ids.question) };
  const measured = await measure(ids.text);
  const of = (kind: Measurement['kind']) =>
    measured.entries
      .filter(({ measurement }) => measurement.kind === kind)
      .map(({ measurement, samples }) => ({ ...measurement, tokensPerSecond: samples }));
  const { model, threads, rounds, promptTokens, steps, batchSteps } = { ...settings, model: basename(options.model) };
  return {
    machine,
    settings: { model, threads, rounds, promptTokens, steps, batchSteps },
    peerSettings,
    decode: of('decode').map(({ engine, level, rows, tokensPerSecond }) => ({ engine, level, rows, tokensPerSecond })),
    prefill: of('prefill').map(({ engine, level, promptTokens: tokens, tokensPerSecond }) => ({
      engine,
      level,
      tokens,
      tokensPerSecond,
    })),
    guard,
    idle: [...workers.values()].map(({ name, idleShare }) => ({ process: name, cpuShare: idleShare })),
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

/** Starts every engine in a process of its own, on files made from the same float32 weights. Gives the peer's version. */
async function load(path: string): Promise<Machine['llamaCpp']> {
  const checkpoint = await openCheckpoint(path);
  const hash = await checkpoint.contentHash({ cacheDirectory });
  await checkpoint.close();
  let release: Machine['llamaCpp'] = null;
  const longest = Math.max(settings.promptTokens + settings.steps, ...settings.prefills, searchPrompt) + 64;
  for (const { id, script, peer, precision, stored } of taking) {
    console.error(`Loading ${id}`);
    const model = stored ? storedFile(hash, stored) : path;
    if (stored) await writeGguf(path, model, stored);
    const started = new WorkerProcess(id, script);
    workers.set(id, started);
    const context = peer ? longest : longest + spareContext;
    const rows = Math.max(...settings.batches);
    const { threads } = settings;
    const request = { op: 'load', model, cacheDirectory, precision, threads, rows, context };
    const version = await started.ask(loadReply, request);
    release ??= version;
  }
  return release;
}

function worker(id: string): WorkerProcess {
  const found = workers.get(id);
  if (!found) throw new Error(`no engine ${id}`);
  return found;
}

async function findSettings(text: readonly number[]): Promise<EngineResults['peerSettings']> {
  const found: EngineResults['peerSettings'] = [];
  const rows = Math.max(...settings.batches);
  for (const { id } of taking.filter(({ peer }) => peer)) {
    const search = { cores: availableParallelism(), rows, text, passes: options['search-passes'] };
    const bests = await searchPeerSettings(worker(id), search);
    for (const { workload, best: settingsOf, tried } of bests) {
      best.set(`${id} ${workload}`, settingsOf);
      found.push({ engine: id, workload, best: settingsOf, tried: [...tried] });
    }
    const lines = bests.map(({ workload, best: chosen }) => `${workload}: ${JSON.stringify(chosen)}`);
    console.error(`Best settings of ${id}: ${lines.join('; ')}`);
  }
  return found;
}

/** What each engine says to the same question, greedily, so that nobody benchmarks garbage. */
async function continuations(prompt: readonly number[]): Promise<EngineResults['guard']['continuations']> {
  const answers: EngineResults['guard']['continuations'] = [];
  for (const { id } of taking) {
    const request = { op: 'greedy', prompt, tokens: guardTokens, settings: best.get(`${id} one row`) };
    const { tokens, text } = await worker(id).ask(continuation, request);
    const own = answers[0]?.tokens ?? tokens;
    const differs = tokens.findIndex((token, i) => token !== own[i]);
    const agreeing = differs === -1 ? tokens.length : differs;
    console.error(`${id}: ${JSON.stringify(text)} (${agreeing} of ${guardTokens} tokens as the first)`);
    answers.push({ engine: id, tokens, text, agreeing });
  }
  return answers;
}

async function measure(prompt: readonly number[]) {
  const groups = planMeasurements(settings, taking);
  const all = groups.flat();
  console.error('Warming up');
  for (const measurement of all) await take(measurement, prompt, true);
  for (const started of workers.values()) started.resetIdle();
  const ownSeconds = () => [...workers.values()].reduce((sum, { cpuSeconds }) => sum + cpuSeconds, processorSeconds());
  const measured = await measureRounds(
    { rounds: settings.rounds, retries: options.retries, ownSeconds },
    async (round) => {
      const figures = new Map<Measurement, number>();
      for (const group of groups) {
        for (const measurement of rotated(group, round))
          figures.set(measurement, await take(measurement, prompt, false));
      }
      const headline = groups[0].map((entry) => `${entry.engine} ${figures.get(entry)?.toFixed(1)}`).join(', ');
      return { figures, headline: `${headline} tokens/s` };
    },
  );
  const entries = all.map((measurement) => ({
    measurement,
    samples: measured.figures.map((figures) => figures.get(measurement) ?? Number.NaN),
  }));
  return { ...measured, entries };
}

/** Tokens per second. A warm-up generates a few tokens only: it builds graphs and fills caches. */
async function take(measurement: Measurement, text: readonly number[], warmUp: boolean): Promise<number> {
  const { kind, engine, level, rows, promptTokens } = measurement;
  if (text.length < promptTokens) throw new Error(`The text has ${text.length} tokens; ${promptTokens} are wanted.`);
  const prompt = text.slice(0, promptTokens);
  const steps = warmUp ? Math.min(2, measurement.steps) : measurement.steps;
  const workload: Workload = kind === 'prefill' ? 'prompts' : rows === 1 ? 'one row' : 'several rows';
  const request = kind === 'prefill' ? { op: 'prefill', prompt } : { op: 'decode', prompt, rows, steps };
  const full = { ...request, level, settings: best.get(`${engine} ${workload}`) };
  if (!warmUp) await delay(settleMilliseconds);
  const { tokens, seconds } = await worker(engine).ask(timing, full);
  return tokens / seconds;
}
