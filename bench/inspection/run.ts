/** npm run bench:inspection. What is measured and how: bench/README.md. */
import { setMaxListeners } from 'node:events';
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
import { checkInspection } from './gates.ts';
import type { InspectionResults } from './results.ts';

/** Tokens that each stream generates before anything counts. */
const settlingTokens = 4;

const options = readOptions('bench:inspection', 'Features of many texts in one call, and beside streams', {
  rounds: [count, '3', 'rounds'],
  texts: [count, '64', 'texts of a call'],
  tokens: [count, '256', 'tokens of a text'],
  streams: [count, '16', 'streams that decode'],
  beside: [count, '8', 'texts that are inspected beside them'],
  window: [count, '32', 'tokens of each stream that tell how fast it is without'],
  precision: [z.string(), 'f32', 'precision of the computation'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
  retries,
  model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint with a source'],
});
const { precision, threads, texts, tokens, streams } = options;

/** What is asked of the texts besides that they are read. */
const inspections = [
  { title: 'features of `17-res-4k`, JSON', fields: { sources: ['17-res-4k'] }, accept: 'application/json' },
  { title: 'features of all three sources, JSON', fields: {}, accept: 'application/json' },
  {
    title: 'features of all three sources, 50 a token, safetensors',
    fields: { top_k_per_token: 50 },
    accept: 'application/vnd.safetensors',
  },
] as const;

interface Figures {
  readonly plain: number;
  readonly inspected: readonly { readonly seconds: number; readonly bytes: number }[];
  /** Milliseconds between tokens. */
  readonly without: readonly number[];
  readonly during: readonly number[];
}

const flags = {
  precision,
  threads,
  context: 4096,
  'max-rows': streams + 4,
  'queue-limit': 2 * texts,
  'queue-seconds': 3600,
};
const service = await ServiceProcess.start(
  options.model,
  Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
);
try {
  const results = await run();
  console.log(`Written to ${writeResults('inspection', results)}`);
  process.exitCode = reportGates(checkInspection(results), options.check);
} finally {
  await service.stop();
}

async function run(): Promise<InspectionResults> {
  const machine = describeMachine(null);
  await service.waitForReady();
  const text = await service.tokenize(await readFile(join(checkout, 'LICENSE'), 'utf8'));
  // variants and encoders are there once each has been asked for
  await prompts(text, 2);
  for (const inspection of inspections) await inspect(text, 2, inspection);
  const ownSeconds = () => processorSeconds() + processorSecondsOf(service.pid);
  const measured = await measureRounds(
    { rounds: options.rounds, retries: options.retries, ownSeconds },
    async (round) => {
      const figures = await takeRound(text, round);
      const ratios = figures.inspected.map(({ seconds }) => (figures.plain / seconds).toFixed(2)).join(', ');
      const [usual, worst] = [percentile(figures.without, 99), percentile(figures.during, 99)];
      return { figures, headline: `${ratios} of plain; ITL p99 ${usual.toFixed(0)} ms, beside ${worst.toFixed(0)} ms` };
    },
  );
  const of = (value: (figures: Figures) => number) => measured.figures.map(value);
  return {
    machine,
    settings: {
      ...{ model: basename(options.model), precision, threads, texts, tokens, streams },
      rounds: options.rounds,
      textsBeside: options.beside,
    },
    plain: of(({ plain }) => plain),
    inspected: inspections.map(({ title }, i) => ({
      title,
      seconds: of(({ inspected }) => inspected[i]?.seconds ?? Number.NaN),
      answerBytes: measured.figures[0]?.inspected[i]?.bytes ?? 0,
    })),
    without: { median: of(({ without }) => median(without)), p99: of(({ without }) => percentile(without, 99)) },
    during: { median: of(({ during }) => median(during)), p99: of(({ during }) => percentile(during, 99)) },
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

/** Another one begins each round: none always follows the same. */
async function takeRound(text: readonly number[], round: number): Promise<Figures> {
  const inspected: { seconds: number; bytes: number }[] = [];
  let plain = Number.NaN;
  for (let turn = 0; turn <= inspections.length; turn++) {
    const which = (turn + round) % (inspections.length + 1);
    const inspection = inspections[which];
    if (inspection) inspected[which] = await inspect(text, texts, inspection);
    else plain = await prompts(text, texts);
  }
  return { plain, inspected, ...(await beside(text)) };
}

/** Seconds to read so many texts as prompts, all of them there at once. */
async function prompts(text: readonly number[], number: number): Promise<number> {
  const began = performance.now();
  const body = () => ({ prompt: freshPrompt(text, tokens), max_tokens: 1, temperature: 0, ignore_eos: true });
  const bodies = Array.from({ length: number }, body);
  await Promise.all(bodies.map((each) => post('/v1/completions', each, 'application/json')));
  return (performance.now() - began) / 1000;
}

async function inspect(text: readonly number[], number: number, { fields, accept }: (typeof inspections)[number]) {
  const inputs = Array.from({ length: number }, () => ({ token_ids: freshPrompt(text, tokens) }));
  const began = performance.now();
  const bytes = await post('/api/v1/activations', { inputs, ...fields }, accept);
  return { seconds: (performance.now() - began) / 1000, bytes };
}

/** Bytes of the answer. */
async function post(path: string, body: object, accept: string): Promise<number> {
  const headers = { 'Content-Type': 'application/json', Accept: accept };
  const response = await fetch(service.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${Buffer.from(answer).toString()}`);
  return answer.byteLength;
}

/** Times between tokens of streams: without an inspection (before it and after it) and during it. */
async function beside(text: readonly number[]): Promise<Pick<Figures, 'without' | 'during'>> {
  const cut = new AbortController();
  const arrivals: number[][] = Array.from({ length: streams }, () => []);
  // each of the streams listens to it
  setMaxListeners(0, cut.signal);
  const ends = Promise.allSettled(arrivals.map((times) => follow(text, times, cut.signal)));
  const generated = () => Math.min(...arrivals.map((times) => times.length));
  try {
    await until(() => generated() >= settlingTokens, ends);
    const from = performance.now();
    await until(() => generated() >= settlingTokens + options.window, ends);
    const sent = performance.now();
    await inspect(text, options.beside, inspections[1]);
    const to = performance.now();
    const read = generated();
    await until(() => generated() >= read + options.window, ends);
    const without = [...gaps(arrivals, from, sent), ...gaps(arrivals, to, performance.now())];
    return { without, during: gaps(arrivals, sent, to) };
  } finally {
    cut.abort();
    await ends;
  }
}

/** A stream that notes when its tokens come: with log-probabilities, each is a chunk whether or not it ends a character. */
function follow(text: readonly number[], times: number[], signal: AbortSignal): Promise<unknown> {
  const body = { prompt: freshPrompt(text, 64), max_tokens: 3000, temperature: 0, ignore_eos: true, logprobs: 0 };
  return streamCompletion(`${service.url}/v1/completions`, body, {
    signal,
    onChunk: (chunks) => {
      const now = performance.now();
      while (times.length < chunks) times.push(now);
    },
  });
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
  return arrivals.flatMap((times) =>
    times.slice(1).flatMap((at, i) => (at > from && at <= to ? [at - (times[i] ?? at)] : [])),
  );
}
