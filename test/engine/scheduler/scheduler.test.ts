import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findViolations, type SchedulerSnapshot } from '../../../engine/scheduler/invariants.ts';
import { type RowOutcome, Scheduler } from '../../../engine/scheduler/scheduler.ts';

function createScheduler(options: { slots?: number; queueLimit?: number; copyFails?: () => boolean } = {}) {
  const { slots = 4, queueLimit = 100 } = options;
  const store = {
    copySlot: () => {
      if (options.copyFails?.()) throw new Error('no memory');
    },
    freeSlot: () => {},
  };
  return new Scheduler({ slots, context: 64, maxChunk: 4, queueLimit, store });
}

function add(scheduler: Scheduler, requestId: string, promptLength: number, maxTokens = 8, ready = true): void {
  scheduler.enqueue({ requestId, promptLength, maxTokens, ready }, 0);
}

/** Runs one step in which every row does `outcome`. */
function step(scheduler: Scheduler, outcome: RowOutcome = 'continue') {
  const { step: planned } = scheduler.plan();
  if (planned) scheduler.commit(new Map(planned.rows.map((row) => [row.requestId, outcome])), 0);
  return planned;
}

describe('Scheduler', () => {
  it('prefills in chunks, one request at a time in order, alternating with decoding', () => {
    const scheduler = createScheduler();
    add(scheduler, 'a', 3);
    add(scheduler, 'b', 9);
    const seen = Array.from({ length: 8 }, () => {
      const planned = step(scheduler);
      return `${planned?.kind} ${planned?.rows.map((row) => `${row.requestId}@${row.slot}:${row.start}+${row.count}`).join(' ')}`;
    });
    expect(seen).toEqual([
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

  it('lets a request that waits for its variant be overtaken, and keeps its place', () => {
    const scheduler = createScheduler();
    add(scheduler, 'slow', 2, 8, false);
    add(scheduler, 'quick', 2);
    add(scheduler, 'third', 2);
    expect(step(scheduler)?.rows[0]?.requestId).toBe('quick');
    scheduler.markReady('slow');
    step(scheduler);
    expect(step(scheduler)?.rows[0]?.requestId).toBe('slow');
  });

  it('does nothing between plan and commit but remember', () => {
    const scheduler = createScheduler();
    add(scheduler, 'a', 2);
    const { step: planned } = scheduler.plan();
    expect(scheduler.abort('a')).toBe(true);
    expect(scheduler.abort('a')).toBe(false);
    expect(scheduler.snapshot().prefilling?.leaving).toBe(true);
    expect(() => scheduler.plan()).toThrow();
    expect(() => add(scheduler, 'a', 2)).toThrow();
    expect(planned?.rows).toHaveLength(1);
    scheduler.commit(new Map([['a', 'continue']]), 0);
    expect(scheduler.inside).toBe(0);
    add(scheduler, 'a', 2);
  });

  it('gives up a row that cannot be moved, and says so', () => {
    let failures = 0;
    const scheduler = createScheduler({ copyFails: () => failures-- > 0 });
    for (const id of ['a', 'b', 'c']) add(scheduler, id, 1);
    while (scheduler.snapshot().running.length < 3) step(scheduler);
    failures = 1;
    scheduler.abort('a');
    const { step: planned, lost } = scheduler.plan();
    expect(lost.map((row) => row.requestId)).toEqual(['c']);
    expect(planned?.rows.map((row) => `${row.requestId}@${row.slot}`)).toEqual(['b@0']);
  });

  it('keeps its invariants through any joins, leaves, failures and finishes', () => {
    let steps = 0;
    const action = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('add' as const),
          prompt: fc.integer({ min: 1, max: 12 }),
          max: fc.integer({ min: 0, max: 9 }),
          ready: fc.boolean(),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), at: fc.nat(30), during: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('ready' as const), at: fc.nat(30) }) },
      {
        weight: 8,
        arbitrary: fc.record({
          do: fc.constant('step' as const),
          outcomes: fc.array(fc.constantFrom<RowOutcome>('continue', 'continue', 'continue', 'finished', 'failed'), {
            minLength: 4,
            maxLength: 4,
          }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(action, { minLength: 40, maxLength: 120, size: 'max' }), (actions) => {
        const scheduler = createScheduler({ queueLimit: 3 });
        let count = 0;
        const check = () => expect(findViolations(scheduler.snapshot())).toEqual([]);
        let abortDuring: string | null = null;
        for (const next of actions) {
          if (next.do === 'add') {
            if (scheduler.inside < 7) add(scheduler, `r${count++}`, next.prompt, next.max, next.ready);
            else expect(() => add(scheduler, `r${count}`, next.prompt)).toThrow(/places are taken/);
          } else if (next.do === 'ready') scheduler.markReady(`r${next.at}`);
          else if (next.do === 'abort' && next.during) abortDuring = `r${next.at}`;
          else if (next.do === 'abort') scheduler.abort(`r${next.at}`);
          else {
            const { step: planned } = scheduler.plan();
            check();
            if (!planned) continue;
            steps++;
            if (abortDuring) scheduler.abort(abortDuring);
            abortDuring = null;
            const { running, prefilling } = scheduler.snapshot();
            const outcomes = planned.rows.map(({ requestId, start, count: tokens }, at): [string, RowOutcome] => {
              const row = [...running, ...(prefilling ? [prefilling] : [])].find((one) => one.requestId === requestId);
              const ends =
                row && start + tokens - row.promptLength + 1 >= row.maxTokens && start + tokens >= row.promptLength;
              return [requestId, ends ? 'finished' : (next.outcomes[at] ?? 'continue')];
            });
            scheduler.commit(new Map(outcomes), 0);
            check();
          }
        }
      }),
      { numRuns: 100 },
    );
    expect(steps).toBeGreaterThan(1000);
  });
});

describe('findViolations', () => {
  const row = { requestId: 'a', slot: 0, tokens: 5, promptLength: 5, maxTokens: 4, leaving: false };
  const good: SchedulerSnapshot = {
    slots: 2,
    context: 64,
    queueLimit: 1,
    stepInFlight: false,
    waiting: [{ requestId: 'w', arrival: 7 }],
    prefilling: { ...row, requestId: 'p', slot: 1, tokens: 2 },
    running: [row],
  };

  it('is empty when all is well', () => {
    expect(findViolations(good)).toEqual([]);
  });

  it.each<[string, Partial<SchedulerSnapshot>]>([
    ['a gap in the decode range', { running: [{ ...row, slot: 1 }], prefilling: null }],
    ['two rows in one slot', { prefilling: { ...row, requestId: 'p', slot: 0, tokens: 2 } }],
    ['a slot that does not exist', { prefilling: { ...row, requestId: 'p', slot: 2, tokens: 2 } }],
    ['a request in two places', { waiting: [{ requestId: 'a', arrival: 1 }] }],
    ['more than fits', { queueLimit: 0 }],
    ['a row that runs past its tokens', { running: [{ ...row, tokens: 8 }] }],
    ['a row that decodes before its prompt is read', { running: [{ ...row, tokens: 4 }] }],
    ['a prefilling row with nothing left to read', { prefilling: { ...row, requestId: 'p', slot: 1 } }],
    ['a row beyond the context', { context: 8 }],
    ['a row that left but stays', { running: [{ ...row, leaving: true }] }],
    [
      'a queue out of order',
      {
        slots: 3,
        waiting: [
          { requestId: 'w', arrival: 7 },
          { requestId: 'v', arrival: 6 },
        ],
      },
    ],
  ])('sees %s', (_, change) => {
    expect(findViolations({ ...good, ...change })).not.toEqual([]);
  });
});
