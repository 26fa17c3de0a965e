import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PrefixSharing, SharedSequence } from '../../../engine/core/prefix-sharing.ts';
import type { IncomingRequest } from '../../../engine/scheduler/entry.ts';
import { findViolations } from '../../../engine/scheduler/invariants.ts';
import { mostOvertakes, turnTokens } from '../../../engine/scheduler/policy.ts';
import type { RowOutcome, SchedulerOptions } from '../../../engine/scheduler/scheduled-step.ts';
import { Scheduler } from '../../../engine/scheduler/scheduler.ts';
import { requestFrom } from '../../harness/requests.ts';

interface Bench {
  readonly scheduler: Scheduler;
  /** Everything that happened: copies, frees, losses, preemptions, and calls of the prefix cache. */
  readonly log: string[];
}

function bench(options: Partial<SchedulerOptions> & { copy?: () => Promise<void> | void } = {}): Bench {
  const log: string[] = [];
  const scheduler = new Scheduler({
    slots: 4,
    context: 64,
    maxChunk: 4,
    queueLimit: 100,
    keyValueTokenLimit: 1000,
    growthTokens: 0,
    prefix: null,
    store: {
      copySlot: async (from, to, tokens) => {
        await options.copy?.();
        log.push(`copy ${from} to ${to}: ${tokens}`);
      },
      freeSlot: (slot) => log.push(`free ${slot}`),
    },
    listener: {
      lost: (id) => log.push(`lost ${id}`),
      preempted: (id, tokens) => log.push(`preempted ${id}: ${tokens}`),
      notKept: (error) => log.push(`not kept: ${String(error)}`),
    },
    ...options,
  });
  return { scheduler, log };
}

function add(scheduler: Scheduler, requestId: string, promptLength: number, more: Partial<IncomingRequest> = {}): void {
  scheduler.enqueue({ requestId, promptLength, maxTokens: 8, ready: true, ...more }, 0);
}

/** Runs a step in which every row does `outcome`, and gives it in words; null when there is none. */
async function step(scheduler: Scheduler, outcome: RowOutcome = 'continue', now = 0): Promise<string | null> {
  for (;;) {
    await scheduler.settle();
    const choice = scheduler.plan(now);
    if (!choice) return null;
    const reservation = await scheduler.reserve(choice, now);
    if (reservation.kind !== 'reserved') continue;
    const { kind, rows } = reservation.step;
    scheduler.commit(new Map(rows.map((row) => [row.requestId, outcome])), 20, now);
    return `${kind} ${rows.map((row) => `${row.requestId}@${row.slot}:${row.start}+${row.count}`).join(' ')}`;
  }
}

async function steps(scheduler: Scheduler, count: number): Promise<(string | null)[]> {
  const seen: (string | null)[] = [];
  for (let at = 0; at < count; at++) seen.push(await step(scheduler));
  return seen;
}

describe('Scheduler', () => {
  it('reads prompts in chunks that alternate with decode steps', async () => {
    const { scheduler } = bench();
    add(scheduler, 'a', 3);
    add(scheduler, 'b', 9);
    expect(await steps(scheduler, 8)).toEqual([
      'prefill a@0:0+3',
      'decode a@0:3+1',
      'prefill b@1:0+4',
      'decode a@0:4+1',
      'prefill b@1:4+4',
      'decode a@0:5+1',
      'prefill b@1:8+1',
      'decode a@0:6+1 b@1:9+1',
    ]);
  });

  it('lets a short prompt behind a long one wait for one turn, and not for the whole of it', async () => {
    const { scheduler } = bench({ context: 8192, keyValueTokenLimit: 8192, maxChunk: 128 });
    add(scheduler, 'long', 4000);
    add(scheduler, 'short', 100);
    const seen = await steps(scheduler, 5);
    expect(seen.slice(0, 4).every((one) => one?.startsWith('prefill long'))).toBe(true);
    expect(seen[4]).toMatch(/^prefill short@\d+:0\+100$/);
    // and goes on where it was, the short one decoding beside it
    const rest = await steps(scheduler, 3);
    expect(rest.find((one) => one?.startsWith('prefill long'))).toContain(`:${turnTokens}+`);
    expect(rest.find((one) => one?.startsWith('decode'))).toContain('short');
  });

  it('gives long prompts turns one after the other', async () => {
    const { scheduler } = bench({ context: 8192, keyValueTokenLimit: 9000, maxChunk: turnTokens });
    for (const id of ['a', 'b', 'c']) add(scheduler, id, 3 * turnTokens - 1);
    const order: string[] = [];
    while (order.length < 9) {
      const seen = await step(scheduler);
      if (seen?.startsWith('prefill')) order.push(seen.slice(8, 9));
    }
    expect(order.join('')).toBe('abcabcabc');
  });

  it('lets a request that waits for its variant be overtaken, and keeps its place', async () => {
    const { scheduler } = bench();
    add(scheduler, 'slow', 2, { ready: false });
    add(scheduler, 'quick', 2);
    add(scheduler, 'third', 2);
    expect(await step(scheduler)).toContain('quick');
    scheduler.markReady('slow');
    await step(scheduler);
    expect(await step(scheduler)).toContain('prefill slow');
  });

  it('lets a request that lacks memory be overtaken so often and no more', async () => {
    const { scheduler } = bench({ slots: 3, keyValueTokenLimit: 40 });
    add(scheduler, 'first', 12, { maxTokens: 28 });
    await steps(scheduler, 3);
    add(scheduler, 'big', 30);
    const started: string[] = [];
    for (let at = 0; at < mostOvertakes + 4; at++) {
      const id = `small-${at}`;
      add(scheduler, id, 1);
      for (let tries = 0; tries < 2; tries++) {
        const seen = await step(scheduler);
        if (seen?.startsWith(`prefill ${id}`)) started.push(id);
      }
      scheduler.abort(id);
    }
    expect(started).toHaveLength(mostOvertakes);
    scheduler.abort('first');
    expect(await step(scheduler)).toContain('prefill big');
  });

  it('is not kept waiting by time alone, nor by a clock that stands still', async () => {
    const { scheduler } = bench({ slots: 3, keyValueTokenLimit: 40 });
    add(scheduler, 'first', 12, { maxTokens: 28 });
    await steps(scheduler, 3);
    add(scheduler, 'big', 30);
    add(scheduler, 'one', 1);
    expect([await step(scheduler, 'continue', 0), await step(scheduler, 'continue', 0)].join()).toContain(
      'prefill one',
    );
    add(scheduler, 'two', 1);
    const late = [await step(scheduler, 'continue', 5000), await step(scheduler, 'continue', 5000)];
    expect(late.join()).not.toContain('two');
  });

  it('takes memory from who came last, who reads prompt and reply again', async () => {
    const { scheduler, log } = bench({ keyValueTokenLimit: 20 });
    add(scheduler, 'a', 4, { maxTokens: 16 });
    add(scheduler, 'b', 4, { maxTokens: 16 });
    while (!log.some((line) => line.startsWith('preempted'))) {
      expect(await step(scheduler)).not.toBeNull();
      expect(findViolations(scheduler.snapshot())).toEqual([]);
    }
    // together they held twenty tokens and each wanted one more
    expect(log.filter((line) => line.startsWith('preempted'))).toEqual(['preempted b: 9']);
    expect(log).toContain('free 1');
    const { waiting, decoding } = scheduler.snapshot();
    expect(waiting.map(({ requestId }) => requestId)).toEqual(['b']);
    expect(decoding.map(({ requestId }) => requestId)).toEqual(['a']);
    // alone, a takes what it needs; then b comes back with its four, the ten it had said, and goes on
    for (let seen = await step(scheduler); !seen?.startsWith('prefill'); seen = await step(scheduler)) {
      if (scheduler.snapshot().decoding[0]?.tokens === 19) scheduler.abort('a');
    }
    expect(scheduler.snapshot().prefilling).toMatchObject([{ requestId: 'b', tokens: 4, target: 10 }]);
    expect(await steps(scheduler, 3)).toEqual(['prefill b@0:4+4', 'prefill b@0:8+2', 'decode b@0:10+1']);
  });

  it('does nothing between plan and commit but remember', async () => {
    const { scheduler, log } = bench();
    add(scheduler, 'a', 2);
    const choice = scheduler.plan(0);
    const reservation = choice && (await scheduler.reserve(choice, 0));
    expect(reservation?.kind).toBe('reserved');
    expect(scheduler.abort('a')).toBe(true);
    expect(scheduler.abort('a')).toBe(false);
    expect(scheduler.snapshot().prefilling[0]?.leaving).toBe(true);
    expect(() => add(scheduler, 'a', 2)).toThrow(/already here/);
    expect(log).toEqual([]);
    scheduler.commit(new Map([['a', 'failed']]), null, 0);
    await scheduler.settle();
    expect(log).toEqual(['free 0']);
    expect(scheduler.inside).toBe(0);
    add(scheduler, 'a', 2);
  });

  it('plans anew when a row leaves while another is moved', async () => {
    let leaver = '';
    const { scheduler } = bench({ copy: () => void scheduler.abort(leaver) });
    for (const id of ['a', 'b', 'c']) add(scheduler, id, 1);
    while (scheduler.snapshot().decoding.length < 3) await step(scheduler);
    scheduler.abort('a');
    leaver = 'b';
    await scheduler.settle();
    expect(await scheduler.reserve({ kind: 'decode' }, 0)).toEqual({ kind: 'superseded' });
    expect(await step(scheduler)).toMatch(/^decode c@0:\d\+1$/);
  });

  it('gives up a row that cannot be moved, and says so', async () => {
    let failures = 0;
    const { scheduler, log } = bench({
      copy: () => {
        if (failures-- > 0) throw new Error('no memory');
      },
    });
    for (const id of ['a', 'b', 'c']) add(scheduler, id, 1);
    while (scheduler.snapshot().decoding.length < 3) await step(scheduler);
    failures = 1;
    scheduler.abort('a');
    expect(await step(scheduler)).toMatch(/^decode b@0:\d\+1$/);
    expect(log).toContain('lost c');
  });
});

describe('Scheduler with a prefix cache', () => {
  const sequence = { request: requestFrom({ prompt: [1] }) } as unknown as SharedSequence;

  function sharing(log: string[], more: Partial<PrefixSharing> = {}): PrefixSharing {
    return {
      tokens: 0,
      known: () => 0,
      restore: async (_, slot) => {
        log.push(`restore ${slot}`);
        return 0;
      },
      keep: async (_, slot, tokens) => {
        log.push(`keep ${slot}: ${tokens}`);
      },
      evict: () => 0,
      statistics: () => ({ queries: 0, hits: 0, blocksEvicted: 0 }),
      ...more,
    };
  }

  it('begins where the cache ends, offers every chunk and the finished reply, and frees after that', async () => {
    const calls: string[] = [];
    const { scheduler, log } = bench({ prefix: sharing(calls, { restore: async () => 5 }) });
    add(scheduler, 'a', 12, { sequence });
    expect(await steps(scheduler, 3)).toEqual(['prefill a@0:5+4', 'prefill a@0:9+3', 'decode a@0:12+1']);
    await step(scheduler, 'finished');
    expect(log).toEqual([]);
    expect(await step(scheduler)).toBeNull();
    expect(calls).toEqual(['keep 0: 9', 'keep 0: 12', 'keep 0: 14']);
    expect(log).toEqual(['free 0']);
  });

  it('always computes the last token, whatever the cache says', async () => {
    const { scheduler } = bench({ prefix: sharing([], { restore: async () => 12 }) });
    add(scheduler, 'a', 12, { sequence });
    expect(await step(scheduler)).toBe('prefill a@0:11+1');
  });

  it('keeps nothing of a row that failed or left', async () => {
    const calls: string[] = [];
    const { scheduler } = bench({ prefix: sharing(calls) });
    add(scheduler, 'a', 4, { sequence });
    await step(scheduler, 'failed');
    await scheduler.settle();
    add(scheduler, 'b', 8, { sequence });
    await step(scheduler);
    scheduler.abort('b');
    await scheduler.settle();
    expect(calls).toEqual(['restore 0', 'restore 0']);
  });

  it('loses only the row that could not be filled, and no row that could not be kept', async () => {
    const broken = sharing([], {
      restore: () => Promise.reject(new Error('no')),
      keep: () => Promise.reject(new Error('full')),
    });
    const { scheduler, log } = bench({ prefix: broken });
    add(scheduler, 'a', 4, { sequence });
    add(scheduler, 'b', 4, { sequence: null });
    expect(await step(scheduler)).toBe('prefill b@0:0+4');
    expect(log).toEqual(['free 0', 'lost a']);
    const unkept = bench({ prefix: { ...broken, tokens: 0, restore: async () => 0 } });
    add(unkept.scheduler, 'a', 4, { sequence });
    expect(await steps(unkept.scheduler, 2)).toEqual(['prefill a@0:0+4', 'decode a@0:4+1']);
    expect(unkept.log).toEqual(['not kept: Error: full']);
  });

  it('takes memory from the cache before it takes any from rows', async () => {
    const held = { tokens: 30 };
    const asked: number[] = [];
    const prefix: PrefixSharing = {
      ...sharing([]),
      get tokens() {
        return held.tokens;
      },
      evict: (tokens) => {
        asked.push(tokens);
        const gone = Math.min(held.tokens, Math.ceil(tokens / 4) * 4);
        held.tokens -= gone;
        return gone;
      },
    };
    const { scheduler, log } = bench({ prefix, keyValueTokenLimit: 40 });
    add(scheduler, 'a', 12, { maxTokens: 20 });
    add(scheduler, 'b', 4, { maxTokens: 20 });
    for (let at = 0; at < 6; at++) {
      await step(scheduler);
      expect(findViolations(scheduler.snapshot())).toEqual([]);
    }
    expect(asked.length).toBeGreaterThan(0);
    expect(log.filter((line) => line.startsWith('preempted'))).toEqual([]);
  });

  it('lets requests with the same prompt wait for the first to read it, and others pass', async () => {
    const { scheduler } = bench({ prefix: sharing([]), context: 2048, keyValueTokenLimit: 9000, maxChunk: 256 });
    const same = { promptKey: 'same', sequence };
    add(scheduler, 'a', turnTokens + 256, same);
    add(scheduler, 'b', turnTokens + 256, same);
    add(scheduler, 'c', 16, { promptKey: 'other', sequence });
    const order: string[] = [];
    while (!order.includes('b')) {
      const seen = await step(scheduler);
      if (seen?.startsWith('prefill')) order.push(seen.slice(8, 9));
    }
    // without the key b would have had the second turn
    expect(order.join('').replace(/a+/g, 'a')).toBe('acab');
  });
});

const outcome = fc.oneof(
  { weight: 20, arbitrary: fc.constant<RowOutcome>('continue') },
  { weight: 1, arbitrary: fc.constantFrom<RowOutcome>('finished', 'failed') },
);
const action = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      prompt: fc.integer({ min: 1, max: 12 }),
      max: fc.integer({ min: 0, max: 9 }),
      ready: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), at: fc.nat(30), during: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ready' as const), at: fc.nat(30) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('step' as const),
      outcomes: fc.array(outcome, {
        minLength: 4,
        maxLength: 4,
      }),
      milliseconds: fc.constantFrom(null, 5, 60),
    }),
  },
);

describe('the invariants', () => {
  it('hold through any joins, leaves, failures, finishes and preemptions', async () => {
    let ran = 0;
    let preempted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 40, maxLength: 120, size: 'max' }),
        fc.constantFrom(21, 25, 40, 1000),
        fc.boolean(),
        async (actions, keyValueTokenLimit, ragged) => {
          let duringCopy: string | null = null;
          const { scheduler, log } = bench({
            queueLimit: 3,
            ragged,
            keyValueTokenLimit,
            copy: async () => {
              await Promise.resolve();
              if (duringCopy) scheduler.abort(duringCopy);
            },
          });
          const check = () => expect(findViolations(scheduler.snapshot())).toEqual([]);
          let count = 0;
          for (const next of actions) {
            if (next.do === 'add') {
              const more = { maxTokens: next.max, ready: next.ready };
              if (scheduler.inside < 7) add(scheduler, `r${count++}`, next.prompt, more);
              else expect(() => add(scheduler, `r${count}`, next.prompt)).toThrow(/places are taken/);
            } else if (next.do === 'ready') scheduler.markReady(`r${next.at}`);
            else if (next.do === 'abort' && next.during) duringCopy = `r${next.at}`;
            else if (next.do === 'abort') scheduler.abort(`r${next.at}`);
            else {
              await scheduler.settle();
              check();
              const choice = scheduler.plan(0);
              const reservation = choice && (await scheduler.reserve(choice, 0));
              if (reservation?.kind !== 'reserved') continue;
              ran++;
              check();
              if (duringCopy) scheduler.abort(duringCopy);
              duringCopy = null;
              const { decoding, prefilling } = scheduler.snapshot();
              const outcomes = reservation.step.rows.map(
                ({ requestId, start, count: tokens }, at): [string, RowOutcome] => {
                  const row = [...decoding, ...prefilling].find((one) => one.requestId === requestId);
                  const end = start + tokens;
                  const over = row && end >= row.target && end - row.promptLength + 1 >= row.maxTokens;
                  return [requestId, over ? 'finished' : (next.outcomes[at] ?? 'continue')];
                },
              );
              scheduler.commit(new Map(outcomes), next.milliseconds, 0);
            }
          }
          for (let at = 0; at < count; at++) scheduler.abort(`r${at}`);
          await scheduler.settle();
          check();
          expect(scheduler.inside).toBe(0);
          preempted += log.filter((line) => line.startsWith('preempted')).length;
        },
      ),
      { numRuns: 100 },
    );
    expect(ran).toBeGreaterThan(1000);
    expect(preempted).toBeGreaterThan(8);
  });
});
