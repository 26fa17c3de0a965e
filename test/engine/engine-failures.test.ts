import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../engine/core/engine-events.ts';
import { TillerError } from '../../engine/core/errors.ts';
import type { PrefixSharing } from '../../engine/core/prefix-sharing.ts';
import type { StepPlan } from '../../engine/core/step.ts';
import { createEngine, type EngineOptions } from '../../engine/engine.ts';
import { findViolations } from '../../engine/scheduler/invariants.ts';
import { createFakeExecutor, type FakeExecutorOptions } from '../harness/fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from '../harness/fake-tokenizer.ts';
import { editOf, generate, type RequestSketch, requestFrom } from '../harness/requests.ts';

const tokenizer = createFakeTokenizer();
const prompt = [50, 60, 70];
const long: RequestSketch['stop'] = { maxTokens: 30, ignoreEos: true };

function setUp(options: FakeExecutorOptions = {}, more: Partial<EngineOptions> = {}) {
  const executor = createFakeExecutor(options);
  const events: EngineEvent[] = [];
  const engine = createEngine({
    executor,
    tokenizer,
    eosTokenIds: [fakeTokens.eos],
    queueLimit: 2,
    observer: (event) => events.push(event),
    inspect: (snapshot) => expect(findViolations(snapshot)).toEqual([]),
    ...more,
  });
  const outcomes = () => events.flatMap((event) => (event.type === 'finished' ? [event.outcome] : []));
  return { executor, engine, events, outcomes };
}

const idsOf = (plan: StepPlan | undefined) => plan?.rows.map((row) => row.requestId) ?? [];

describe('a step that fails', () => {
  it('in a batch costs only the row that fails by itself', async () => {
    const { engine, executor, outcomes } = setUp({
      onRun: (plan) => {
        if (plan.kind === 'decode' && idsOf(plan).includes('bad') && plan.rows.some((row) => row.start === 6)) {
          throw new Error('bad weather');
        }
      },
    });
    const good = await generate(setUp().engine, { id: 'good', prompt, stop: long });
    const replies = await Promise.all(
      ['good', 'bad', 'also-good'].map((id) => generate(engine, { id, prompt, stop: long })),
    );
    expect(replies[1]?.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('bad weather') });
    for (const reply of [replies[0], replies[2]]) {
      expect(reply?.error).toBeNull();
      expect(reply?.tokenIds).toEqual(good.tokenIds);
    }
    const failed = executor.plans.findIndex(
      (plan) => plan.rows.length === 3 && plan.rows.some((row) => row.start === 6),
    );
    expect(executor.plans.slice(failed + 1, failed + 4).map(idsOf)).toEqual([['good'], ['bad'], ['also-good']]);
    expect(outcomes().sort()).toEqual(['error', 'length', 'length']);
  });

  it('keeps the code of a typed failure', async () => {
    const { engine } = setUp({
      onRun: () => {
        throw new TillerError('edit_not_applicable', 'too wide');
      },
    });
    expect((await generate(engine, { prompt })).error?.code).toBe('edit_not_applicable');
  });

  it('in prefill costs that row alone', async () => {
    const { engine } = setUp({
      onRun: (plan) => {
        if (plan.kind === 'prefill' && idsOf(plan)[0] === 'bad') throw new Error('no');
      },
    });
    const [good, bad, next] = await Promise.all(
      ['good', 'bad', 'next'].map((id) => generate(engine, { id, prompt, stop: long })),
    );
    expect(bad?.error?.code).toBe('step_failed');
    expect(bad?.events).toEqual([]);
    expect(good?.tokenIds).toEqual(next?.tokenIds);
    expect(good?.tokenIds).toHaveLength(30);
  });

  it('because a slot could not be copied costs the row that was to be moved', async () => {
    let failures = 1;
    const { engine, executor } = setUp({
      onCopy: () => {
        if (failures-- > 0) throw new Error('no memory');
        return true;
      },
    });
    const [first, ...others] = await Promise.all(
      [3, 30, 30].map((maxTokens) => generate(engine, { prompt, stop: { maxTokens, ignoreEos: true } })),
    );
    expect(first?.error).toBeNull();
    expect(others.map((reply) => reply.error?.code ?? 'ok').sort()).toEqual(['ok', 'step_failed']);
    expect(executor.copies.length).toBeGreaterThan(1);
  });

  it('passes on no garbage when logits are not finite', async () => {
    const { engine } = setUp({ poison: (row) => row.requestId === 'hot' && row.start > 4 });
    const [hot, cool] = await Promise.all(['hot', 'cool'].map((id) => generate(engine, { id, prompt, stop: long })));
    expect(hot?.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('not finite') });
    expect(hot?.tokenIds).toEqual(cool?.tokenIds.slice(0, hot?.tokenIds.length));
    expect(cool?.tokenIds).toHaveLength(30);
    const prompted = await generate(engine, { id: 'hot', prompt: [...prompt, 1, 2, 3, 4, 5, 6, 7], promptLogprobs: 1 });
    expect(prompted.error?.code).toBe('step_failed');
  });
});

describe('an edit', () => {
  it('that reads something that is not finite fails its request and says which', async () => {
    const { engine } = setUp({
      reading: (reading, row) =>
        row.start > 4
          ? { ...reading, readingBefore: reading.readingBefore.map(() => Number.POSITIVE_INFINITY) }
          : reading,
    });
    const reply = await generate(engine, { prompt, stop: long, edits: [editOf(1, 'last'), editOf(2)] });
    expect(reply.error).toMatchObject({ code: 'edit_not_applicable', param: 'steering.edits[1]' });
    expect(reply.error?.message).toContain('position 5');
  });

  it('that was not applied where it should be, or was where it should not, fails its request', async () => {
    const left = setUp({ reading: (reading) => ({ ...reading, gate: reading.gate.map(() => 0) }) });
    const leftOut = await generate(left.engine, { prompt, edits: [editOf(1)] });
    expect(leftOut.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('left out') });
    const right = setUp({ reading: (reading) => ({ ...reading, gate: reading.gate.map(() => 1) }) });
    const outside = await generate(right.engine, { prompt, edits: [editOf(1, 'last')] });
    expect(outside.error?.message).toContain('outside');
  });

  it('may be left out at sinks and where it is inactive', async () => {
    const { engine } = setUp({
      reading: (reading, row) =>
        row.start === 0 ? { ...reading, gate: reading.gate.map(() => 0), sink: reading.gate } : reading,
    });
    const stop = { maxTokens: 3, ignoreEos: true };
    const reply = await generate(engine, { prompt, stop, edits: [editOf(1)] });
    expect(reply.finish?.edits[0]).toMatchObject({ tokens: 2, sinkTokens: 3 });
    const inactive = setUp({
      reading: ({ gate, readingBefore, ...rest }) => ({
        ...rest,
        gate: gate.map(() => 0),
        readingBefore: readingBefore.map(() => 0.4),
      }),
    });
    const quiet = await generate(inactive.engine, { prompt, stop, edits: [{ ...editOf(1), activeAbove: 0.5 }] });
    expect(quiet.finish?.edits[0]).toMatchObject({ tokens: 0, coefficient: null });
  });

  it('that writes only where its feature is active is held to what it read there', async () => {
    const stop = { maxTokens: 3, ignoreEos: true };
    const run = (gate: number, read: number) =>
      generate(
        setUp({
          reading: (reading) => ({
            ...reading,
            gate: reading.gate.map(() => gate),
            readingBefore: reading.gate.map(() => read),
          }),
        }).engine,
        { prompt, stop, edits: [{ ...editOf(1), activeAbove: 0.5 }] },
      );
    expect((await run(1, 0.6)).finish?.edits[0]?.tokens).toBeGreaterThan(0);
    expect((await run(0, 0.5)).finish?.edits[0]?.tokens).toBe(0);
    expect((await run(0, 0.6)).error?.message).toContain('left out');
    expect((await run(1, 0.5)).error?.message).toContain('not active');
  });

  it('waits for its graph variant while others run, and fails alone when that cannot be built', async () => {
    const asked: unknown[] = [];
    const gates = new Map<string, () => void>();
    const { engine, executor } = setUp({
      prepare: (sites) => {
        asked.push(sites);
        if (sites.edits.includes('blocks.9.hook_resid_post')) return Promise.reject(new Error('no such block'));
        return new Promise((resolve) => gates.set(sites.edits.join(), resolve));
      },
    });
    const site = 'blocks.0.hook_resid_post';
    const steered = generate(engine, { id: 'steered', prompt, edits: [editOf(1), editOf(2)], stop: long });
    const broken = await generate(engine, { prompt, edits: [editOf(1, 'all', 'blocks.9.hook_resid_post')] });
    expect(broken.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('no such block') });
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
    expect(executor.plans.flatMap(idsOf)).not.toContain('steered');
    expect(engine.statistics()).toMatchObject({ waiting: 1, running: 0 });
    gates.get(site)?.();
    expect((await steered).tokenIds).toHaveLength(30);
    expect(asked).toEqual([
      { edits: [site], taps: [] },
      { edits: ['blocks.9.hook_resid_post'], taps: [] },
    ]);
  });
});

describe('cancellation', () => {
  it('by signal frees the row before the next step', async () => {
    const controller = new AbortController();
    let cancelledAt = -1;
    const { engine, executor, outcomes } = setUp({
      onRun: (plan, index) => {
        if (cancelledAt < 0 && plan.rows.length === 2) {
          controller.abort();
          cancelledAt = index;
        }
      },
    });
    const [gone, stays] = await Promise.all([
      generate(engine, { id: 'gone', prompt, stop: long, signal: controller.signal }),
      generate(engine, { id: 'stays', prompt, stop: long }),
    ]);
    expect(gone?.error?.code).toBe('cancelled');
    expect(stays?.tokenIds).toHaveLength(30);
    expect(executor.plans.slice(cancelledAt + 1).flatMap(idsOf)).not.toContain('gone');
    expect(outcomes()).toEqual(['cancelled', 'length']);
  });

  it('by leaving the iteration frees the row before the next step', async () => {
    const { engine, executor, outcomes } = setUp();
    for await (const event of engine.submit(requestFrom({ prompt, stop: long }))) if (event.type === 'token') break;
    const runs = executor.plans.length;
    await nextTurn();
    await nextTurn();
    await nextTurn();
    expect(executor.plans.length).toBeLessThanOrEqual(runs + 1);
    expect(engine.statistics()).toMatchObject({ running: 0, keyValueTokens: 0 });
    expect(executor.freed).toEqual([0]);
    expect(outcomes()).toEqual(['cancelled']);
  });

  it('works while waiting, while preparing and before anything', async () => {
    const { engine, executor } = setUp({ slots: 1, prepare: () => new Promise(() => {}) });
    const controllers = [new AbortController(), new AbortController()];
    const running = generate(engine, { prompt, stop: long });
    const waiting = generate(engine, { prompt, signal: controllers[0]?.signal });
    const preparing = generate(engine, { prompt, edits: [editOf(1)], signal: controllers[1]?.signal });
    expect(engine.statistics()).toMatchObject({ running: 0, waiting: 3 });
    for (const controller of controllers) controller.abort();
    expect((await waiting).error?.code).toBe('cancelled');
    expect((await preparing).error?.code).toBe('cancelled');
    expect((await running).tokenIds).toHaveLength(30);
    expect(new Set(executor.plans.flatMap(idsOf)).size).toBe(1);
    expect(() => engine.submit(requestFrom({ prompt, signal: AbortSignal.abort() }))).toThrow(
      expect.objectContaining({ code: 'cancelled' }),
    );
  });
});

describe('deadlines', () => {
  it('end a request that runs and one that waits, and refuse one that is late already', async () => {
    let now = 1000;
    const { engine, outcomes } = setUp(
      {
        slots: 1,
        onRun: (_, index) => {
          if (index === 5) now = 2000;
        },
      },
      { now: () => now },
    );
    const replies = await Promise.all([
      generate(engine, { prompt, stop: long, deadline: 2000 }),
      generate(engine, { prompt, stop: long, deadline: 1999 }),
      generate(engine, { prompt, stop: long, deadline: 2001 }),
    ]);
    expect(replies.map((reply) => reply.error?.code ?? 'ok')).toEqual(['deadline_exceeded', 'deadline_exceeded', 'ok']);
    // the step in flight still counts
    expect(replies[0]?.tokenIds.length).toBe(6);
    expect(outcomes().sort()).toEqual(['deadline', 'deadline', 'length']);
    expect(() => engine.submit(requestFrom({ prompt, deadline: 2000 }))).toThrow(/deadline/);
  });

  it('end a request whose variant is never built, though no step runs', async () => {
    const { engine } = setUp({ prepare: () => new Promise(() => {}) });
    const reply = await generate(engine, { prompt, edits: [editOf(1)], deadline: Date.now() + 400 });
    expect(reply.error?.code).toBe('deadline_exceeded');
  });
});

describe('the queue', () => {
  it('is bounded, says when to come back, and leaves those inside alone', async () => {
    const { engine } = setUp({ slots: 1 });
    const inside = [1, 2, 3].map(() => generate(engine, { prompt, stop: long }));
    expect(() => engine.submit(requestFrom({ prompt }))).toThrow(
      expect.objectContaining({ code: 'queue_full', retryAfterSeconds: expect.any(Number) }),
    );
    for (const reply of await Promise.all(inside)) expect(reply.tokenIds).toHaveLength(30);
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
  });

  it('serves first come, first served', async () => {
    const { engine, events } = setUp({ slots: 2 }, { queueLimit: 10 });
    const ids = Array.from({ length: 8 }, (_, index) => `r${index}`);
    await Promise.all(ids.map((id) => generate(engine, { id, prompt, stop: { maxTokens: 4 } })));
    expect(events.flatMap((event) => (event.type === 'started' ? [event.requestId] : []))).toEqual(ids);
  });

  it('gives up a request whose turn has not come in time, and no other', async () => {
    let release = () => {};
    const { engine, outcomes } = setUp(
      {
        slots: 1,
        onRun: (_, index) => (index === 3 ? new Promise((resolve) => (release = resolve)) : undefined),
      },
      { queueTimeLimitMilliseconds: 600 },
    );
    const running = generate(engine, { prompt, stop: long });
    const waiting = await generate(engine, { prompt, stop: long });
    expect(waiting.error).toMatchObject({ code: 'queue_timeout', retryAfterSeconds: expect.any(Number) });
    expect(waiting.error?.message).toContain('0.6 s');
    release();
    expect((await running).tokenIds).toHaveLength(30);
    expect(outcomes()).toEqual(['error', 'length']);
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
  });

  it('refuses an id that is inside', async () => {
    const { engine } = setUp();
    const first = generate(engine, { id: 'same', prompt });
    expect(() => engine.submit(requestFrom({ id: 'same', prompt }))).toThrow(/already here/);
    expect((await first).error).toBeNull();
  });
});

describe('a mistake in the account of memory', () => {
  it('ends every reply with an error and takes no more, rather than go on wrongly', async () => {
    const blocks = { tokens: 0 };
    const prefix: PrefixSharing = {
      get tokens() {
        return blocks.tokens;
      },
      known: () => 0,
      restore: async () => 0,
      keep: async () => {
        // holds more than there is, and lets go of nothing
        blocks.tokens = 1e9;
      },
      evict: () => 0,
      statistics: () => ({ queries: 0, hits: 0, blocksEvicted: 0 }),
    };
    const { engine, outcomes } = setUp({}, { prefix, inspect: undefined });
    const replies = await Promise.all([1, 2].map(() => generate(engine, { prompt, stop: long })));
    expect(replies.map((reply) => reply.error?.code)).toEqual(['internal', 'internal']);
    expect(outcomes()).toEqual(['error', 'error']);
    expect(() => engine.submit(requestFrom({ prompt }))).toThrow(/KV memory/);
    await engine.close();
  });
});

describe('drain', () => {
  it('lets running and queued requests finish and takes no new ones', async () => {
    const { engine } = setUp({ slots: 1 });
    const inside = [1, 2].map(() => generate(engine, { prompt, stop: long }));
    const drained = engine.drain(60_000);
    expect(engine.statistics().draining).toBe(true);
    expect(() => engine.submit(requestFrom({ prompt }))).toThrow(expect.objectContaining({ code: 'draining' }));
    await drained;
    for (const reply of await Promise.all(inside)) expect(reply.tokenIds).toHaveLength(30);
  });

  it('cancels what is left at the deadline', async () => {
    let release = () => {};
    const { engine, outcomes } = setUp({ onRun: () => new Promise((resolve) => (release = resolve)) });
    const stuck = generate(engine, { prompt });
    const drained = engine.drain(5);
    expect((await stuck).error?.code).toBe('draining');
    release();
    await drained;
    expect(outcomes()).toEqual(['cancelled']);
    expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0 });
  });

  it('is followed by close, which waits for the step in flight and closes the executor once', async () => {
    let release = () => {};
    const { engine, executor } = setUp({ onRun: () => new Promise((resolve) => (release = resolve)) });
    const reply = generate(engine, { prompt });
    while (executor.plans.length === 0) await nextTurn();
    const closed = engine.close();
    expect((await reply).error?.code).toBe('draining');
    expect(executor.closed()).toBe(false);
    release();
    await Promise.all([closed, engine.close()]);
    expect(executor.closed()).toBe(true);
  });
});

describe('observation', () => {
  it('tells of every stage with its numbers', async () => {
    const { engine, events } = setUp({ maxChunk: 2 });
    const stop = { maxTokens: 2, ignoreEos: true };
    await generate(engine, { id: 'a', prompt, stop, edits: [editOf(1, 'generated')] });
    expect(events.map((event) => event.type)).toEqual([
      'queued',
      'started',
      'step',
      'step',
      'prompt_read',
      'first_token',
      'step',
      'next_token',
      'finished',
    ]);
    expect(events[0]).toMatchObject({ promptTokens: 3, maxTokens: 2 });
    expect(events.filter((event) => event.type === 'step')).toMatchObject([
      { kind: 'prefill', rows: 1, steeredRows: 0, distinctSteerings: 0, tokens: 2, predictedMilliseconds: null },
      { kind: 'prefill', rows: 1, steeredRows: 1, distinctSteerings: 1, tokens: 1, editedTokens: 1 },
      { kind: 'decode', rows: 1, steeredRows: 1, distinctSteerings: 1, tokens: 1, editedTokens: 1 },
    ]);
    for (const event of events) {
      if (event.type !== 'step') continue;
      const { plan, run, commit } = event.phases;
      expect(Math.min(plan, run, commit)).toBeGreaterThanOrEqual(0);
      expect(plan + run + commit).toBeCloseTo(event.milliseconds, 6);
    }
    expect(events[4]).toMatchObject({ steeringClass: 'decode_only', promptTokens: 3, cachedTokens: 0 });
    const last = events.at(-1);
    expect(last).toMatchObject({ outcome: 'length', promptTokens: 3, completionTokens: 2, steered: true });
    if (last?.type !== 'finished') throw new Error('the last event is not the end');
    const parts = [last.queueMilliseconds, last.prefillMilliseconds, last.decodeMilliseconds];
    expect(parts.reduce((sum: number, part) => sum + (part ?? Number.NaN), 0)).toBeCloseTo(last.milliseconds, 6);
  });

  it('counts steerings that differ, and tokens once for each edit that names them', async () => {
    const { engine, events } = setUp({ maxChunk: 64 }, { queueLimit: 8 });
    const stop = { maxTokens: 20, ignoreEos: true };
    const edits = [[editOf(1)], [editOf(1)], [editOf(2), editOf(3)], [], [editOf(1, 'prompt')]];
    await Promise.all(edits.map((one) => generate(engine, { prompt, stop, edits: one })));
    const steps = events.flatMap((event) => (event.type === 'step' ? [event] : []));
    expect(steps.find(({ kind, rows }) => kind === 'decode' && rows === 5)).toMatchObject({
      steeredRows: 3,
      distinctSteerings: 2,
      tokens: 5,
      editedTokens: 1 + 1 + 2,
    });
    const prefills = steps.filter(({ kind }) => kind === 'prefill').map(({ editedTokens }) => editedTokens);
    // position 0 is no part of `prompt`
    expect(prefills.sort()).toEqual([0, 2, 3, 3, 6]);
    const classes = events.flatMap((event) => (event.type === 'prompt_read' ? [event.steeringClass] : []));
    expect(classes.sort()).toEqual(['none', 'prompt', 'prompt', 'prompt', 'prompt']);
  });

  it('tells of a batch that ran again row by row, and of a row whose logits are no numbers', async () => {
    const { engine, events } = setUp({
      onRun: (plan) => {
        if (plan.rows.length === 2 && plan.rows[0]?.start === 8) throw new Error('once');
      },
      poison: (row) => row.requestId === 'hot' && row.start > 12,
    });
    await Promise.all(['hot', 'cool'].map((id) => generate(engine, { id, prompt, stop: long })));
    expect(events.filter((event) => event.type === 'step_retried')).toEqual([{ type: 'step_retried', rows: 2 }]);
    expect(events.filter((event) => event.type === 'corrupted')).toEqual([{ type: 'corrupted', requestId: 'hot' }]);
    const ends = events.flatMap((event) => (event.type === 'finished' ? [[event.requestId, event.outcome]] : []));
    expect(ends).toEqual([
      ['hot', 'error'],
      ['cool', 'length'],
    ]);
  });

  it('predicts steps once it has seen some', async () => {
    const { engine, events } = setUp();
    await generate(engine, { prompt, stop: long });
    const decodes = events.flatMap((event) => (event.type === 'step' && event.kind === 'decode' ? [event] : []));
    expect(decodes[0]?.predictedMilliseconds).toBeNull();
    expect(decodes.slice(1).every((event) => (event.predictedMilliseconds ?? 0) > 0)).toBe(true);
  });

  it('that throws stops nothing', async () => {
    const { engine } = setUp(
      {},
      {
        observer: () => {
          throw new Error('a metrics bug');
        },
      },
    );
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
  });

  it('counts tokens in the cache', async () => {
    let seen = 0;
    const { engine } = setUp({
      onRun: () => {
        seen = Math.max(seen, engine.statistics().keyValueTokens);
      },
    });
    await generate(engine, { prompt, stop: { maxTokens: 5, ignoreEos: true } });
    expect(seen).toBe(3 + 3);
  });
});
