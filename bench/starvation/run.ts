/** npm run bench:starvation. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { checkout } from '../checkout.ts';
import { reportGates } from '../gates.ts';
import { describeMachine } from '../machine.ts';
import { count, readOptions, retries } from '../options.ts';
import { processorSecondsOf } from '../processor-time.ts';
import { freshPrompt } from '../prompts.ts';
import { writeResults } from '../results.ts';
import { measureRounds, processorSeconds } from '../rounds.ts';
import { ServiceProcess } from '../service-process.ts';
import { median, percentile } from '../statistics.ts';
import { streamCompletion } from '../stream-client.ts';
import { checkStarvation } from './gates.ts';
import type { StarvationResults } from './results.ts';

/** Tokens of each stream's own prompt; tokens that each generates before anything counts. */
const streamPrompt = 64;
const settlingTokens = 4;

const options = readOptions('bench:starvation', 'A long prompt into running streams', {
  rounds: [count, '3', 'rounds'],
  streams: [count, '16', 'streams that decode'],
  prompt: [count, '4000', 'tokens of the prompt'],
  window: [count, '32', 'tokens of each stream, before the prompt and after it, that tell how fast it is without'],
  precision: [z.string(), 'f32', 'precision of the computation'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
  retries,
  model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint'],
});
const { precision, threads, streams, prompt: promptTokens } = options;
/** More than any stream generates before it is cut. */
const streamTokens = Math.min(2000, promptTokens) + settlingTokens + 2 * options.window;

interface Figures {
  /** Milliseconds between tokens. */
  readonly without: readonly number[];
  readonly during: readonly number[];
  readonly ttft: number;
  readonly ttftAlone: number;
}

const flags = { precision, threads, context: promptTokens + 64, 'max-rows': streams + 1 };
const service = await ServiceProcess.start(
  options.model,
  Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
);
try {
  const results = await run();
  console.log(`Written to ${writeResults('starvation', results)}`);
  process.exitCode = reportGates(checkStarvation(results), options.check);
} finally {
  await service.stop();
}

async function run(): Promise<StarvationResults> {
  console.error('This takes about 2 minutes.');
  const machine = describeMachine(null);
  await service.waitForReady();
  const text = await service.tokenize(await readFile(join(checkout, 'LICENSE'), 'utf8'));
  await timeToFirstToken(text);
  const ownSeconds = () => processorSeconds() + processorSecondsOf(service.pid);
  const measured = await measureRounds({ rounds: options.rounds, retries: options.retries, ownSeconds }, async () => {
    const figures = await takeRound(text);
    const [usual, worst] = [median(figures.without), percentile(figures.during, 99)];
    const headline = `ITL median ${usual.toFixed(0)} ms, p99 during the prompt ${worst.toFixed(0)} ms, its TTFT ${(figures.ttft / 1000).toFixed(1)} s`;
    return { figures, headline };
  });
  const of = (value: (figures: Figures) => number) => measured.figures.map(value);
  return {
    machine,
    settings: { model: basename(options.model), precision, threads, rounds: options.rounds, streams, promptTokens },
    without: { median: of(({ without }) => median(without)), p99: of(({ without }) => percentile(without, 99)) },
    during: { median: of(({ during }) => median(during)), p99: of(({ during }) => percentile(during, 99)) },
    promptTtft: of(({ ttft }) => ttft),
    promptTtftAlone: of(({ ttftAlone }) => ttftAlone),
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

async function takeRound(text: readonly number[]): Promise<Figures> {
  const ttftAlone = await timeToFirstToken(text);
  const cut = new AbortController();
  const arrivals: number[][] = Array.from({ length: streams }, () => []);
  const ends = Promise.allSettled(arrivals.map((times) => follow(text, times, cut.signal)));
  const generated = () => Math.min(...arrivals.map((times) => times.length));
  try {
    await until(() => generated() >= settlingTokens, ends);
    const from = performance.now();
    await until(() => generated() >= settlingTokens + options.window, ends);
    const sent = performance.now();
    const ttft = await timeToFirstToken(text);
    const to = sent + ttft;
    const read = generated();
    await until(() => generated() >= read + options.window, ends);
    // before it and after it, since a machine is not as fast at one time as at another
    const without = [...gaps(arrivals, from, sent), ...gaps(arrivals, to, performance.now())];
    return { without, during: gaps(arrivals, sent, to), ttft, ttftAlone };
  } finally {
    cut.abort();
    await ends;
  }
}

/** A stream that notes when its tokens come: with log-probabilities, each is a chunk whether or not it ends a character. */
function follow(text: readonly number[], times: number[], signal: AbortSignal): Promise<unknown> {
  const prompt = freshPrompt(text, streamPrompt);
  const body = {
    prompt,
    max_tokens: Math.min(streamTokens, promptTokens),
    temperature: 0,
    ignore_eos: true,
    logprobs: 0,
  };
  return streamCompletion(`${service.url}/v1/completions`, body, {
    signal,
    onChunk: (chunks) => {
      const now = performance.now();
      while (times.length < chunks) times.push(now);
    },
  });
}

async function timeToFirstToken(text: readonly number[]): Promise<number> {
  const body = { prompt: freshPrompt(text, promptTokens), max_tokens: 1, temperature: 0, ignore_eos: true };
  const { sentAt, chunksAt } = await streamCompletion(`${service.url}/v1/completions`, body);
  return chunksAt[0] - sentAt;
}

/** Waits for `done`; throws where the streams are over first. */
async function until(done: () => boolean, ends: Promise<readonly PromiseSettledResult<unknown>[]>): Promise<void> {
  let over: readonly PromiseSettledResult<unknown>[] | null = null;
  void ends.then((results) => {
    over = results;
  });
  while (!done()) {
    if (over) throw new Error(`the streams ended too soon: ${JSON.stringify(over)}`);
    await delay(2);
  }
}

/** Times between tokens of one stream, for tokens that came in the window. */
function gaps(arrivals: readonly (readonly number[])[], from: number, to: number): number[] {
  return arrivals.flatMap((times) => times.slice(1).flatMap((at, i) => (at > from && at <= to ? [at - times[i]] : [])));
}
