/** npm run bench:decode. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { acquireModel, defaultModelName } from '../engine/checkpoint/acquire/index.ts';
import { openCheckpoint } from '../engine/checkpoint/index.ts';
import { cacheDirectory, checkout } from './checkout.ts';
import { type DecodeSettings, engines, type Measurement, planMeasurements, storedFile } from './decode-plan.ts';
import { checkDecode, reportGates } from './gates.ts';
import { installPeers } from './install-peers.ts';
import { describeMachine } from './machine.ts';
import { count, counts, readOptions } from './options.ts';
import { busySeconds, otherLoad, quietLimit } from './other-load.ts';
import { type DecodeResults, writeResults } from './results.ts';
import { rotated } from './statistics.ts';
import { WorkerProcess } from './worker-process.ts';
import { continuation, timing, tokensReply } from './workers/protocol.ts';
import { writeGguf } from './write-gguf.ts';

const question = 'Explain in two sentences why the sky is blue.';
const guardTokens = 20;
/** The peer's version; Tiller answers nothing. */
const loadReply = z.object({ package: z.string(), release: z.string() }).nullable();

const options = readOptions('bench:decode', 'Decoding, prompts and steering, side by side with llama.cpp', {
  rounds: [count, '7', 'rounds; every measurement is taken once in each'],
  steps: [count, '64', 'tokens that one row generates in a round'],
  'batch-steps': [count, '16', 'the same for each of several rows'],
  prompt: [count, '256', 'tokens of prompt before what is generated'],
  batches: [counts, '1,4,8,16', 'numbers of rows'],
  prefills: [counts, '128,512', 'lengths of prompts timed by themselves'],
  retries: [
    z
      .string()
      .regex(/^\d{1,3}$/, 'must be a whole number')
      .transform(Number),
    '4',
    'rounds measured again because other programs disturbed them',
  ],
  threads: [count, String(availableParallelism()), 'threads of every engine'],
  model: [z.string(), defaultModelName, 'a model of the catalog, or a GGUF file'],
});

const settings: DecodeSettings = {
  rounds: options.rounds,
  promptTokens: options.prompt,
  steps: options.steps,
  batchSteps: options['batch-steps'],
  batches: options.batches,
  prefills: options.prefills,
  steeringRows: [1, Math.max(...options.batches)].filter((rows, i, all) => all.indexOf(rows) === i),
  threads: options.threads,
};

const workers = new Map<string, WorkerProcess>();
try {
  const results = await run();
  console.log(`Written to ${writeResults('decode', results)}`);
  process.exitCode = reportGates(checkDecode(results), options.check);
} finally {
  await Promise.all([...workers.values()].map((worker) => worker.close()));
}

async function run(): Promise<DecodeResults> {
  await installPeers();
  const { path } = await acquireModel(options.model, { cacheDirectory });
  const release = await load(path);
  const machine = describeMachine(release);
  const text = await readFile(join(checkout, 'LICENSE'), 'utf8');
  const ids = await worker('tiller-f32').ask(tokensReply, { op: 'tokens', text, question });
  const guard = { prompt: question, continuations: await continuations(ids.question) };
  const measured = await measure(ids.text);
  const named = (kind: Measurement['kind']) => measured.entries.filter(({ measurement }) => measurement.kind === kind);
  return {
    machine,
    settings: {
      model: basename(options.model),
      threads: settings.threads,
      rounds: settings.rounds,
      promptTokens: settings.promptTokens,
      steps: settings.steps,
      batchSteps: settings.batchSteps,
    },
    decode: named('decode').map(({ measurement: { variant, rows }, samples }) => ({
      variant,
      rows,
      tokensPerSecond: samples,
    })),
    prefill: named('prefill').map(({ measurement: { variant, promptTokens }, samples }) => ({
      variant,
      tokens: promptTokens,
      tokensPerSecond: samples,
    })),
    steering: named('steering').map(({ measurement: { rows, edits }, samples }) => ({
      rows,
      edits,
      tokensPerSecond: samples,
    })),
    guard,
    idle: [...workers.values()].map(({ name, idleShare }) => ({ process: name, cpuShare: idleShare })),
    otherLoad: measured.otherLoad,
    disturbedRounds: measured.disturbed,
  };
}

/** Starts every engine in a process of its own, on files made from the same float32 weights. Gives the peer's version. */
async function load(path: string): Promise<DecodeResults['machine']['llamaCpp']> {
  const checkpoint = await openCheckpoint(path);
  const hash = await checkpoint.contentHash({ cacheDirectory });
  await checkpoint.close();
  let release: DecodeResults['machine']['llamaCpp'] = null;
  const context = Math.max(settings.promptTokens + settings.steps, ...settings.prefills) + 64;
  const rows = Math.max(...settings.batches, ...settings.steeringRows);
  for (const { id, script, stored } of engines) {
    console.error(`Loading ${id}`);
    const file = stored ? storedFile(hash, stored) : path;
    if (stored) await writeGguf(path, file, stored);
    const started = new WorkerProcess(id, script);
    workers.set(id, started);
    const { threads } = settings;
    const answer = await started.ask(loadReply, { op: 'load', path: file, cacheDirectory, threads, rows, context });
    release ??= answer;
  }
  return release;
}

function worker(id: string): WorkerProcess {
  const found = workers.get(id);
  if (!found) throw new Error(`no engine ${id}`);
  return found;
}

/** What each engine says to the same question, greedily, so that nobody benchmarks garbage. */
async function continuations(prompt: readonly number[]): Promise<DecodeResults['guard']['continuations']> {
  const answers: DecodeResults['guard']['continuations'] = [];
  for (const { id } of engines) {
    const { tokens, text } = await worker(id).ask(continuation, { op: 'greedy', prompt, tokens: guardTokens });
    const own = answers[0]?.tokens ?? tokens;
    const differs = tokens.findIndex((token, i) => token !== own[i]);
    const agreeing = differs === -1 ? tokens.length : differs;
    console.error(`${id}: ${JSON.stringify(text)} (${agreeing} of ${guardTokens} tokens as Tiller)`);
    answers.push({ variant: id, tokens, text, agreeing });
  }
  return answers;
}

interface Measured {
  readonly entries: readonly { readonly measurement: Measurement; readonly samples: number[] }[];
  /** Cores that others kept busy, one value a round. */
  readonly otherLoad: number[];
  /** Rounds that others disturbed and that were measured again. */
  readonly disturbed: number;
}

/** A round that other programs disturb is measured again, whatever its figures, as long as there are `retries` left. */
async function measure(prompt: readonly number[]): Promise<Measured> {
  const groups = planMeasurements(settings);
  for (const measurement of groups.flat()) await take(measurement, prompt, true);
  for (const started of workers.values()) started.resetIdle();
  const entries = groups.flat().map((measurement) => ({ measurement, samples: [] as number[] }));
  const loads: number[] = [];
  let disturbed = 0;
  while (loads.length < settings.rounds) {
    const { figures, load, seconds } = await measureRound(groups, loads.length, prompt);
    const again = load > quietLimit && disturbed < options.retries;
    const headline = groups[0].map((measurement) => `${measurement.variant} ${figures.get(measurement)?.toFixed(1)}`);
    console.error(
      `Round ${loads.length + 1} of ${settings.rounds}, ${seconds.toFixed(0)} s, other load ${load.toFixed(2)}${again ? ', disturbed: once more' : ''}: ${headline.join(', ')} tokens/s`,
    );
    if (again) {
      disturbed++;
      continue;
    }
    loads.push(load);
    for (const { measurement, samples } of entries) samples.push(figures.get(measurement) ?? Number.NaN);
  }
  return { entries, otherLoad: loads, disturbed };
}

async function measureRound(groups: readonly Measurement[][], round: number, prompt: readonly number[]) {
  const before = { busy: busySeconds(), own: ownSeconds(), at: performance.now() };
  const figures = new Map<Measurement, number>();
  for (const group of groups) {
    for (const measurement of rotated(group, round)) figures.set(measurement, await take(measurement, prompt, false));
  }
  const seconds = (performance.now() - before.at) / 1000;
  return { figures, seconds, load: otherLoad(busySeconds() - before.busy, ownSeconds() - before.own, seconds) };
}

/** Tokens per second. A warm-up generates a few tokens only: it builds graphs and fills caches. */
async function take(measurement: Measurement, text: readonly number[], warmUp: boolean): Promise<number> {
  const { kind, engine, path, rows, edits, promptTokens } = measurement;
  if (text.length < promptTokens) throw new Error(`The text has ${text.length} tokens; ${promptTokens} are wanted.`);
  const prompt = text.slice(0, promptTokens);
  const steps = warmUp ? Math.min(4, measurement.steps) : measurement.steps;
  const request = kind === 'prefill' ? { op: 'prefill', prompt } : { op: 'decode', path, prompt, rows, steps, edits };
  const { tokens, seconds } = await worker(engine).ask(timing, request);
  return tokens / seconds;
}

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return [...workers.values()].reduce((sum, { cpuSeconds }) => sum + cpuSeconds, (user + system) / 1e6);
}
