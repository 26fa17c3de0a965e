import { afterAll, describe, expect, it } from 'vitest';
import type { Edit, Executor, GenerateRequest, Positions, StepPlan } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import { openExecutor } from '../../engine/runtime/index.ts';
import { findViolations } from '../../engine/scheduler/invariants.ts';
import { positionsMask } from '../../engine/steering/index.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';
import { testKernels } from '../harness/kernels.ts';
import { type Reply, read, requestFrom } from '../harness/requests.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../harness/tiny-model.ts';

/**
 * The whole engine over the real executor and a model of two blocks: rows with edits at ever other hook points join and leave,
 * are cancelled, fail, and are run again one by one, and every reply is held against the same request alone.
 */
const tokenizer = createFakeTokenizer();
const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize, contextLength: 96 };
const weights = writeTinyWeights(config, 5);
const kernels = await testKernels();
const open = (maxChunk: number) =>
  openExecutor({ config, weights, slots: 6, context: 96, threads: 1, maxChunk, kernels });
const places = [
  'blocks.0.hook_resid_pre',
  'blocks.0.hook_resid_mid',
  'blocks.0.hook_resid_post',
  'blocks.1.hook_resid_mid',
  'blocks.1.hook_resid_post',
];
const positionSets: readonly Positions[] = ['all', 'all_but_first', 'prompt', 'generated', 'last', { from: 3, to: 9 }];
/** Beyond a margin below this another batch may rightly choose otherwise. */
const smallestMargin = 1e-3;

const random = randomNumbers(41);
const below = (count: number) => Math.floor((random() + 0.5) * count);
const direction = (scale: number) => Float32Array.from({ length: config.dModel }, () => random() * scale);

function editAt(hookPoint: string, more: Partial<Edit> = {}): Edit {
  const reads = below(2) === 0;
  return {
    hookPoint,
    read: reads ? { direction: direction(1), bias: 0.1, threshold: 0.2 } : null,
    coefficient: { beta: 1, gamma: reads ? -0.6 : 0, low: -Infinity, high: Infinity },
    write: direction(3),
    positions: positionSets[below(positionSets.length)] as Positions,
    skipSpecial: below(3) === 0,
    activeAbove: -Infinity,
    sinkNorm: Infinity,
    ...more,
  };
}

function request(id: string, more: Partial<Parameters<typeof requestFrom>[0]> = {}): GenerateRequest {
  const prompt = Array.from({ length: 9 + below(30) }, () => below(config.vocabularySize));
  const edits = places
    .filter(() => below(3) === 0)
    .flatMap((place) => (below(4) ? [editAt(place)] : [editAt(place), editAt(place)]));
  return requestFrom({ id, prompt, edits, logprobs: 2, stop: { maxTokens: 4 + below(24), ignoreEos: true }, ...more });
}

interface Outcome extends Reply {
  /** Tokens before the first one whose margin is too small to hold against another batch. */
  readonly decided: number;
}

async function outcomeOf(events: ReturnType<ReturnType<typeof createEngine>['submit']>): Promise<Outcome> {
  const reply = await read(events);
  const margins = reply.events.flatMap((event) => {
    if (event.type !== 'token') return [];
    const [first, second] = event.logprob?.top ?? [];
    return [(first?.logprob ?? 0) - (second?.logprob ?? 0)];
  });
  const at = margins.findIndex((margin) => margin < smallestMargin);
  return { ...reply, decided: at < 0 ? margins.length : at };
}

/** Tokens that an edit names over the tokens that were run: the prompt, and each generated token but the last. */
function namedTokens(
  edit: Edit,
  { promptTokenIds, positionContext }: GenerateRequest,
  generated: readonly number[],
): number {
  const all = Int32Array.of(...promptTokenIds, ...generated.slice(0, -1));
  return positionsMask(edit, positionContext, 0, all).reduce((sum, value) => sum + value, 0);
}

/** Fails every third batch of several rows as a whole, and every decode step of a doomed row. */
function unreliable(executor: Executor): Executor & { readonly failures: () => { batches: number; doomed: number } } {
  const failures = { batches: 0, doomed: 0 };
  let steps = 0;
  const run = (plan: StepPlan) => {
    if (plan.rows.length > 1 && ++steps % 3 === 0) {
      failures.batches++;
      return Promise.reject(new Error('a batch that fails as a whole'));
    }
    if (plan.kind === 'decode' && plan.rows.some(({ requestId }) => requestId.startsWith('doomed'))) {
      failures.doomed++;
      return Promise.reject(new Error('a row that always fails'));
    }
    return executor.run(plan);
  };
  return Object.assign(Object.create(executor) as Executor, { run, failures: () => failures });
}

const violations: string[] = [];
let preempted = 0;
const executor = unreliable(await open(7));
const engine = createEngine({
  executor,
  tokenizer,
  eosTokenIds: [],
  queueLimit: 200,
  // six rows of up to 66 tokens do not fit: some are preempted and read again
  keyValueTokenLimit: 160,
  growthTokens: 0,
  observer: (event) => {
    if (event.type === 'preempted') preempted++;
  },
  inspect: (snapshot) => violations.push(...findViolations(snapshot)),
});
afterAll(() => engine.close());

describe('the engine over the real executor', () => {
  it('gives every row what it gives alone, whoever joins, leaves, fails or is run again', async () => {
    const requests = Array.from({ length: 60 }, (_, i) => request(`row-${i}`));
    const alone = new Map<string, Outcome>();
    for (const one of requests) alone.set(one.id, await outcomeOf(engine.submit({ ...one, id: `alone-${one.id}` })));

    const together = new Map<string, Outcome>();
    const others: Promise<Outcome>[] = [];
    const queue = [...requests];
    const worker = async (w: number) => {
      for (let one = queue.shift(); one; one = queue.shift()) {
        if (below(3) === 0) {
          const leaver = new AbortController();
          others.push(outcomeOf(engine.submit({ ...request(`leaver-${one.id}`), signal: leaver.signal })));
          setTimeout(() => leaver.abort(), below(12));
        }
        if (below(4) === 0) others.push(outcomeOf(engine.submit(request(`doomed-${one.id}`))));
        if (below(4) === 0) {
          // Finite numbers whose product is not: what they leave in the cache must not reach who comes after.
          const hot = editAt(places[w % 5] as string, {
            positions: below(2) ? 'all' : 'generated',
            skipSpecial: false,
            coefficient: { beta: 3e38, gamma: 0, low: -Infinity, high: Infinity },
            write: direction(1).fill(50),
          });
          others.push(outcomeOf(engine.submit(request(`hot-${one.id}`, { edits: [hot] }))));
        }
        together.set(one.id, await outcomeOf(engine.submit(one)));
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, w) => worker(w)));
    const left = await Promise.all(others);

    let compared = 0;
    for (const one of requests) {
      const [expected, got] = [alone.get(one.id) as Outcome, together.get(one.id) as Outcome];
      expect(expected.error, one.id).toBeNull();
      expect(got.error, one.id).toBeNull();
      expect(got.tokenIds.slice(0, expected.decided), one.id).toEqual(expected.tokenIds.slice(0, expected.decided));
      compared += expected.decided;
      const reports = got.finish?.edits ?? [];
      expect(reports.map(({ tokens }) => tokens)).toEqual(
        one.edits.map((edit) => namedTokens(edit, one, got.tokenIds)),
      );
    }
    expect(compared).toBeGreaterThan(500);
    const codes = new Set(left.map(({ error }) => error?.code));
    expect([...codes].sort()).toEqual(expect.arrayContaining(['cancelled', 'edit_not_applicable', 'step_failed']));
    expect(executor.failures().batches).toBeGreaterThan(20);
    expect(executor.failures().doomed).toBeGreaterThan(5);
    expect(violations).toEqual([]);
    expect(preempted).toBeGreaterThan(10);
    expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0, keyValueTokens: 0 });
  }, 120_000);

  it('gives the log-probabilities of a prompt in chunks as in one piece, steered and in company', async () => {
    const whole = createEngine({ executor: await open(96), tokenizer, eosTokenIds: [], queueLimit: 8 });
    const requests = Array.from({ length: 6 }, (_, i) =>
      request(`echo-${i}`, { promptLogprobs: 3, stop: { maxTokens: i % 3 } }),
    );
    const logprobs = ({ events }: Reply) =>
      events.flatMap((event) => (event.type === 'prompt' ? (event.logprobs ?? []) : []));
    const chunked = await Promise.all(requests.map((one) => read(engine.submit(one))));
    for (const [i, one] of requests.entries()) {
      const expected = logprobs(await read(whole.submit(one)));
      const got = logprobs(chunked[i] as Reply);
      expect(got).toHaveLength(one.promptTokenIds.length);
      expect(expected[0]).toBeNull();
      for (const [t, entry] of got.entries()) {
        expect(entry?.tokenId).toBe(expected[t]?.tokenId);
        expect(Math.abs((entry?.logprob ?? 0) - (expected[t]?.logprob ?? 0))).toBeLessThan(1e-3);
      }
    }
    await whole.close();
  });

  it('closes in the middle of steps and builds without touching what is gone', async () => {
    for (let round = 0; round < 8; round++) {
      const closing = createEngine({ executor: await open(7), tokenizer, eosTokenIds: [], queueLimit: 64 });
      const replies = Array.from({ length: 12 }, (_, i) => read(closing.submit(request(`closing-${round}-${i}`))));
      await new Promise((resolve) => setTimeout(resolve, round * 4));
      await closing.close();
      for (const { error, finish } of await Promise.all(replies))
        expect(finish ? null : error?.code).toBe(finish ? null : 'draining');
    }
  });
});
