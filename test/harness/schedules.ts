import fc from 'fast-check';
import { expect } from 'vitest';
import type { Positions } from '../../engine/core/edit.ts';
import type { EngineEvent } from '../../engine/core/engine-events.ts';
import type { StepPlan } from '../../engine/core/step.ts';
import { createEngine } from '../../engine/engine.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { findViolations } from '../../engine/scheduler/invariants.ts';
import { createFakeExecutor, type FakeExecutorOptions } from './fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from './fake-tokenizer.ts';
import { editOf, generate, type Reply, type RequestSketch, read, requestFrom } from './requests.ts';

const tokenizer = createFakeTokenizer();
const eosTokenIds = [fakeTokens.eos];

/** A request of a schedule: when it joins and when its caller leaves, in runs of the executor. */
export interface Visitor {
  readonly sketch: RequestSketch;
  readonly joinAt: number;
  readonly leaveAt: number | null;
}

const editArbitrary = fc
  .record({
    beta: fc.integer({ min: 1, max: 9 }),
    positions: fc.constantFrom<Positions>('all', 'all_but_first', 'prompt', 'generated', 'last', { from: 1, to: 3 }),
    block: fc.nat(3),
  })
  .map(({ beta, positions, block }) => editOf(beta, positions, `blocks.${block}.hook_resid_post`));

export const sketchArbitrary: fc.Arbitrary<RequestSketch> = fc.record({
  prompt: fc.array(fc.integer({ min: 4, max: 259 }), { minLength: 1, maxLength: 30, size: 'max' }),
  sampling: fc.record({
    temperature: fc.constantFrom(0, 0.7, 1, 1.3),
    topP: fc.constantFrom(1, 0.9),
    topK: fc.constantFrom(0, 5),
    repetitionPenalty: fc.constantFrom(1, 1.2),
    presencePenalty: fc.constantFrom(0, 0.5),
    seed: fc.nat(1000),
  }),
  stop: fc.record({
    maxTokens: fc.integer({ min: 0, max: 14 }),
    strings: fc.constantFrom([], ['e'], ['ab', 'X']),
    tokenIds: fc.constantFrom([], [100, 101]),
  }),
  logprobs: fc.constantFrom(null, 0, 3),
  promptLogprobs: fc.constantFrom(null, null, 2),
  edits: fc.array(editArbitrary, { maxLength: 2 }),
});

/** Requests at random times, some of which leave. */
export function visitorArbitrary(sketch: fc.Arbitrary<RequestSketch>): fc.Arbitrary<Visitor> {
  return fc.record({ sketch, joinAt: fc.nat(15), leaveAt: fc.option(fc.nat(80), { nil: null, freq: 3 }) });
}

/** Events without what may differ from run to run. */
export function comparable({ events }: Reply) {
  return events.map((event) => (event.type === 'prompt' ? { ...event, queueMilliseconds: 0, cachedTokens: 0 } : event));
}

function isPrefix(part: readonly unknown[], whole: readonly unknown[]): boolean {
  return JSON.stringify(whole.slice(0, part.length)) === JSON.stringify(part);
}

export interface ScheduleOptions extends FakeExecutorOptions {
  /** Most tokens of KV memory. */
  readonly keyValueTokenLimit?: number;
  /** Room left for rows to grow when a prompt starts. */
  readonly growthTokens?: number;
  /** Bytes that the prefix cache may take, one a token and some for readings; left out: none. */
  readonly prefixBytes?: number;
}

/** Runs a schedule; checks the scheduler's invariants before and during every step, and that all memory comes back. */
export async function runTogether(visitors: readonly Visitor[], options: ScheduleOptions) {
  const replies: (Promise<Reply> | null)[] = visitors.map(() => null);
  const leaving = visitors.map(() => new AbortController());
  const join = (index: number) => {
    const { sketch } = visitors[index] as Visitor;
    const signal = (leaving[index] as AbortController).signal;
    if (!signal.aborted) replies[index] ??= read(engine.submit(requestFrom({ ...sketch, signal })));
  };
  const executor = createFakeExecutor({
    ...options,
    onRun: (plan: StepPlan, run) => {
      visitors.forEach(({ joinAt, leaveAt }, index) => {
        if (leaveAt === run) leaving[index]?.abort();
        if (joinAt === run) join(index);
      });
      return options.onRun?.(plan, run);
    },
  });
  let violations: string[] = [];
  const events: EngineEvent[] = [];
  const prefix = createPrefixSharing({ blocks: executor.blocks, budgetBytes: options.prefixBytes ?? 0, salt: '' });
  const engine = createEngine({
    executor,
    tokenizer,
    eosTokenIds,
    queueLimit: 100,
    keyValueTokenLimit: options.keyValueTokenLimit,
    growthTokens: options.growthTokens,
    prefix,
    observer: (event) => events.push(event),
    inspect: (snapshot) => {
      violations = [...violations, ...findViolations(snapshot)];
    },
  });
  // the first starts things off, the rest join during runs; who never found a run joins at the end
  for (let index = 0; index < visitors.length; index++) {
    if (index === 0 || replies[index] === null) join(index);
    await Promise.all(replies);
  }
  await engine.drain(60_000);
  expect(violations).toEqual([]);
  const { prefixTokens } = engine.statistics();
  expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0, keyValueTokens: 0 });
  const { slots, blocks } = executor.memory();
  expect(slots.every((tokens) => tokens === 0)).toBe(true);
  expect(blocks * executor.blocks.blockTokens).toBe(prefixTokens);
  await engine.close();
  return { replies: await Promise.all(replies), executor, events };
}

export async function runAlone(sketch: RequestSketch, options: FakeExecutorOptions): Promise<Reply> {
  const executor = createFakeExecutor({ ...options, onRun: undefined });
  const engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: 0 });
  return generate(engine, sketch);
}

/** Requests whose batched reply differs from the isolated one. */
export async function differences(visitors: readonly Visitor[], options: ScheduleOptions) {
  const { replies, executor, events } = await runTogether(visitors, options);
  const different: number[] = [];
  for (const [index, reply] of replies.entries()) {
    if (!reply) continue;
    const alone = comparable(await runAlone((visitors[index] as Visitor).sketch, options));
    const same = reply.error?.code === 'cancelled' ? isPrefix(comparable(reply), alone) : undefined;
    if (!(same ?? JSON.stringify(comparable(reply)) === JSON.stringify(alone))) different.push(index);
  }
  return { different, executor, events };
}
