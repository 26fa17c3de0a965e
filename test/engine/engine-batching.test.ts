import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Positions } from '../../engine/core/edit.ts';
import type { StepPlan } from '../../engine/core/step.ts';
import { createEngine } from '../../engine/engine.ts';
import { findViolations } from '../../engine/scheduler/invariants.ts';
import { createFakeExecutor, type FakeExecutorOptions } from '../harness/fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from '../harness/fake-tokenizer.ts';
import { editOf, generate, type Reply, type RequestSketch, read, requestFrom } from '../harness/requests.ts';

const tokenizer = createFakeTokenizer();
const eosTokenIds = [fakeTokens.eos];

/** A request of a schedule: when it joins and when its caller leaves, in runs of the executor. */
interface Visitor {
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

const sketchArbitrary: fc.Arbitrary<RequestSketch> = fc.record({
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

const visitorArbitrary: fc.Arbitrary<Visitor> = fc.record({
  sketch: sketchArbitrary,
  joinAt: fc.nat(15),
  leaveAt: fc.option(fc.nat(80), { nil: null, freq: 3 }),
});

/** Events without the one thing that may differ from run to run. */
function comparable({ events }: Reply) {
  return events.map((event) => (event.type === 'prompt' ? { ...event, queueMilliseconds: 0 } : event));
}

function isPrefix(part: readonly unknown[], whole: readonly unknown[]): boolean {
  return JSON.stringify(whole.slice(0, part.length)) === JSON.stringify(part);
}

/** Runs a schedule; checks the scheduler's invariants after every step. */
async function runTogether(visitors: readonly Visitor[], options: FakeExecutorOptions) {
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
  const engine = createEngine({
    executor,
    tokenizer,
    eosTokenIds,
    queueLimit: 100,
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
  expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0, keyValueTokens: 0 });
  await engine.close();
  return { replies: await Promise.all(replies), executor };
}

async function runAlone(sketch: RequestSketch, options: FakeExecutorOptions): Promise<Reply> {
  const engine = createEngine({ executor: createFakeExecutor(options), tokenizer, eosTokenIds, queueLimit: 0 });
  return generate(engine, sketch);
}

/** Requests whose batched reply differs from the isolated one. */
async function differences(visitors: readonly Visitor[], options: FakeExecutorOptions) {
  const { replies, executor } = await runTogether(visitors, options);
  const different: number[] = [];
  for (const [index, reply] of replies.entries()) {
    if (!reply) continue;
    const alone = comparable(await runAlone((visitors[index] as Visitor).sketch, options));
    const same = reply.error?.code === 'cancelled' ? isPrefix(comparable(reply), alone) : undefined;
    if (!(same ?? JSON.stringify(comparable(reply)) === JSON.stringify(alone))) different.push(index);
  }
  return { different, executor };
}

describe('batched replies', () => {
  it('equal isolated ones, whoever joins and leaves when', async () => {
    let runs = 0;
    let widest = 0;
    let copies = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(visitorArbitrary, { minLength: 2, maxLength: 24, size: 'max' }),
        fc.constantFrom(1, 3, 16, 16),
        fc.constantFrom(1, 5, 64),
        async (visitors, slots, maxChunk) => {
          const { different, executor } = await differences(visitors, { slots, maxChunk });
          expect(different).toEqual([]);
          runs += executor.plans.length;
          copies += executor.copies.length;
          widest = Math.max(widest, ...executor.plans.map((plan) => plan.rows.length));
        },
      ),
      { numRuns: 40 },
    );
    // far below what any seed reaches: the schedules must really have shared batches and moved rows
    expect(runs).toBeGreaterThan(300);
    expect(copies).toBeGreaterThan(10);
    expect(widest).toBeGreaterThan(2);
  });

  /** Sixteen rows that run together and leave one after the other from the front, so that slots are copied. */
  const crowd: Visitor[] = Array.from({ length: 20 }, (_, index) => ({
    sketch: {
      prompt: Array.from({ length: 3 + index }, (_, at) => 40 + ((index * 7 + at * 3) % 90)),
      sampling: { temperature: 1, seed: index },
      stop: { maxTokens: 30 + index, ignoreEos: true },
      edits: index % 3 === 0 ? [editOf(index + 1, 'generated')] : [],
    },
    joinAt: 1,
    leaveAt: null,
  }));

  it('equal isolated ones with sixteen rows decoding at once', async () => {
    const { different, executor } = await differences(crowd, { maxChunk: 64 });
    expect(different).toEqual([]);
    expect(Math.max(...executor.plans.map((plan) => plan.rows.length))).toBe(16);
    expect(executor.copies.length).toBeGreaterThan(0);
    expect(executor.freed.length).toBeGreaterThan(0);
  });

  it('would be caught differing if a slot were not copied', async () => {
    const { replies } = await runTogether(crowd, { maxChunk: 64, onCopy: () => false });
    const wrong = await Promise.all(
      replies.map(async (reply, index) => {
        const alone = await runAlone((crowd[index] as Visitor).sketch, { maxChunk: 64 });
        return reply && JSON.stringify(comparable(reply)) !== JSON.stringify(comparable(alone)) ? 1 : 0;
      }),
    );
    expect(wrong.reduce((sum: number, one) => sum + one, 0)).toBeGreaterThan(0);
  });

  it('depend on the seed and on nothing else', async () => {
    const engine = createEngine({ executor: createFakeExecutor(), tokenizer, eosTokenIds, queueLimit: 8 });
    const choice = (seed: number) => generate(engine, { prompt: [50, 60], sampling: { temperature: 1, seed } });
    const [first, second, again] = await Promise.all([choice(1), choice(2), choice(1)]);
    expect(first?.tokenIds).toEqual(again?.tokenIds);
    expect(first?.tokenIds).not.toEqual(second?.tokenIds);
  });

  it('carry edits only in steps whose tokens they touch', async () => {
    const executor = createFakeExecutor();
    const engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: 8 });
    const edits = [editOf(1, 'prompt'), editOf(2, { from: 20, to: 22 }), editOf(3, 'generated')];
    const reply = await generate(engine, {
      prompt: [50, 60, 70],
      stop: { maxTokens: 3, ignoreEos: true },
      edits,
    });
    expect(executor.plans.map(({ rows }) => rows[0]?.edits.map(({ edit }) => edits.indexOf(edit)))).toEqual([
      [0, 2],
      [2],
      [2],
    ]);
    expect(reply.finish?.edits.map(({ tokens }) => tokens)).toEqual([2, 0, 3]);
    // ‖(3, 4)‖ · 3 over a stream of norm 10
    expect(reply.finish?.edits[2]?.relativeDose).toBeCloseTo(1.5);
    expect(reply.finish?.edits[1]).toMatchObject({ coefficient: null, relativeDose: null });
  });
});
