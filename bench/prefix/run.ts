/** npm run bench:prefix. What is measured and how: bench/README.md. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
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
import { streamCompletion } from '../stream-client.ts';
import { checkPrefix } from './gates.ts';
import { type Follower, followers, type PrefixResults } from './results.ts';

const options = readOptions('bench:prefix', 'Time to first token with a cached prefix, steered and not', {
  rounds: [count, '5', 'rounds'],
  prefix: [count, '1000', 'tokens of the prefix that is sent again'],
  tail: [count, '16', 'new tokens after it'],
  precision: [z.string(), 'f32', 'precision of the computation'],
  threads: [count, String(availableParallelism()), 'threads that compute'],
  retries,
  model: [z.string(), defaultModelName, 'a model of the catalog, or a checkpoint'],
});
const { precision, threads, prefix: prefixTokens, tail: tailTokens } = options;

interface Answer {
  readonly ttft: number;
  readonly cachedTokens: number;
}
interface Figures {
  readonly cold: number;
  readonly cached: ReadonlyMap<Follower, Answer>;
}

const service = await ServiceProcess.start(options.model, ['--precision', precision, '--threads', String(threads)]);
try {
  const results = await run();
  console.log(`Written to ${writeResults('prefix', results)}`);
  process.exitCode = reportGates(checkPrefix(results), options.check);
} finally {
  await service.stop();
}

async function run(): Promise<PrefixResults> {
  console.error('This takes about a minute.');
  const machine = describeMachine(null);
  await service.waitForReady();
  const text = await service.tokenize(await readFile(join(checkout, 'LICENSE'), 'utf8'));
  const steering = await steerings();
  await takeRound(text, steering);
  const ownSeconds = () => processorSeconds() + processorSecondsOf(service.pid);
  const measured = await measureRounds({ rounds: options.rounds, retries: options.retries, ownSeconds }, async () => {
    const figures = await takeRound(text, steering);
    const again = figures.cached.get('unsteered after unsteered');
    const headline = `cold ${figures.cold.toFixed(0)} ms, cached ${again?.ttft.toFixed(0)} ms (${again?.cachedTokens} tokens)`;
    return { figures, headline };
  });
  const answers = (follower: Follower) => measured.figures.map(({ cached }) => found(cached, follower));
  return {
    machine,
    settings: { model: basename(options.model), precision, threads, rounds: options.rounds, prefixTokens, tailTokens },
    cold: measured.figures.map(({ cold }) => cold),
    cached: followers.map((follower) => ({
      follower,
      ttft: answers(follower).map(({ ttft }) => ttft),
      cachedTokens: answers(follower).map(({ cachedTokens }) => cachedTokens),
    })),
    otherLoad: [...measured.otherLoad],
    disturbedRounds: measured.disturbedRounds,
  };
}

type Steerings = Readonly<Record<'generated' | 'middle' | 'a' | 'b', object>>;

/** One prefix that nobody has sent before, sent by everyone in turn; each ends it in other words. */
async function takeRound(text: readonly number[], { generated, middle, a, b }: Steerings): Promise<Figures> {
  const prefix = freshPrompt(text, prefixTokens);
  let tails = 0;
  const ask = async (steering: object | null): Promise<Answer> => {
    const from = prefixTokens + 1 + tails++ * 7;
    const tail = Array.from({ length: tailTokens }, (_, i) => text[(from + i) % text.length]);
    const body = { prompt: [...prefix, ...tail], max_tokens: 4, temperature: 0, ignore_eos: true };
    const url = `${service.url}/v1/completions`;
    const { sentAt, chunksAt, cachedTokens } = await streamCompletion(url, steering ? { ...body, steering } : body);
    if (cachedTokens === null) throw new Error('the service does not tell how many tokens were cached');
    return { ttft: chunksAt[0] - sentAt, cachedTokens };
  };
  const cold = await ask(null);
  if (cold.cachedTokens > 0) throw new Error(`a new prompt had ${cold.cachedTokens} tokens cached`);
  const cached = new Map<Follower, Answer>([
    ['unsteered after unsteered', await ask(null)],
    ['steered while generating only, after unsteered', await ask(generated)],
    ['steered from the middle on, after unsteered', await ask(middle)],
    ['steered by A, after unsteered', await ask(a)],
    ['steered by A, after A', await ask(a)],
    ['steered by B, after A', await ask(b)],
    ['unsteered after A', await ask(null)],
  ]);
  return { cold: cold.ttft, cached };
}

/** All at one hook point, so that they share one graph. */
async function steerings(): Promise<Steerings> {
  const schema = z.object({ models: z.tuple([z.object({ d_model: z.number(), blocks: z.number() })]) });
  const [model] = schema.parse(await (await service.get('/api/v1/models')).json()).models;
  const edits = (seed: number, positions: unknown) => {
    const direction = Float32Array.from({ length: model.d_model }, (_, i) => Math.sin((i + 1) * seed));
    const data = Buffer.from(direction.buffer).toString('base64');
    const vector = { hook_point: `blocks.${model.blocks >> 1}.hook_resid_post`, data };
    return { edits: [{ vector, mode: 'add', unit: 'raw', strength: 0.01, positions }] };
  };
  return {
    generated: edits(1, 'generated'),
    middle: edits(1, { from: prefixTokens >> 1, to: prefixTokens }),
    a: edits(2, 'all_but_first'),
    b: edits(3, 'all_but_first'),
  };
}

function found<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): Value {
  const value = map.get(key);
  if (value === undefined) throw new Error(`${String(key)} was not measured`);
  return value;
}
