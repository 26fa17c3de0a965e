import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { engineOverFakes, idsOf, long, prompt } from '../harness/engine-over-fakes.ts';
import { editOf, generate, requestFrom } from '../harness/requests.ts';

describe('cancellation', () => {
  it('by signal frees the row before the next step', async () => {
    const controller = new AbortController();
    let cancelledAt = -1;
    const { engine, executor, outcomes } = engineOverFakes({
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
    const { engine, executor, outcomes } = engineOverFakes();
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
    const { engine, executor } = engineOverFakes({ slots: 1, prepare: () => new Promise(() => {}) });
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
    const { engine, outcomes } = engineOverFakes(
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
    const { engine } = engineOverFakes({ prepare: () => new Promise(() => {}) });
    const reply = await generate(engine, { prompt, edits: [editOf(1)], deadline: Date.now() + 400 });
    expect(reply.error?.code).toBe('deadline_exceeded');
  });
});

describe('the queue', () => {
  it('is bounded, says when to come back, and leaves those inside alone', async () => {
    const { engine } = engineOverFakes({ slots: 1 });
    const inside = [1, 2, 3].map(() => generate(engine, { prompt, stop: long }));
    expect(() => engine.submit(requestFrom({ prompt }))).toThrow(
      expect.objectContaining({ code: 'queue_full', retryAfterSeconds: expect.any(Number) }),
    );
    for (const reply of await Promise.all(inside)) expect(reply.tokenIds).toHaveLength(30);
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
  });

  it('serves first come, first served', async () => {
    const { engine, events } = engineOverFakes({ slots: 2 }, { queueLimit: 10 });
    const ids = Array.from({ length: 8 }, (_, index) => `r${index}`);
    await Promise.all(ids.map((id) => generate(engine, { id, prompt, stop: { maxTokens: 4 } })));
    expect(events.flatMap((event) => (event.type === 'started' ? [event.requestId] : []))).toEqual(ids);
  });

  it('gives up a request whose turn has not come in time, and no other', async () => {
    let release = () => {};
    const { engine, outcomes } = engineOverFakes(
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
    const { engine } = engineOverFakes();
    const first = generate(engine, { id: 'same', prompt });
    expect(() => engine.submit(requestFrom({ id: 'same', prompt }))).toThrow(/already here/);
    expect((await first).error).toBeNull();
  });
});

describe('drain', () => {
  it('lets running and queued requests finish and takes no new ones', async () => {
    const { engine } = engineOverFakes({ slots: 1 });
    const inside = [1, 2].map(() => generate(engine, { prompt, stop: long }));
    const drained = engine.drain(60_000);
    expect(engine.statistics().draining).toBe(true);
    expect(() => engine.submit(requestFrom({ prompt }))).toThrow(expect.objectContaining({ code: 'draining' }));
    await drained;
    for (const reply of await Promise.all(inside)) expect(reply.tokenIds).toHaveLength(30);
  });

  it('cancels what is left at the deadline', async () => {
    let release = () => {};
    const { engine, outcomes } = engineOverFakes({ onRun: () => new Promise((resolve) => (release = resolve)) });
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
    const { engine, executor } = engineOverFakes({ onRun: () => new Promise((resolve) => (release = resolve)) });
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
