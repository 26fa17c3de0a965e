import { describe, expect, it } from 'vitest';
import { findViolations } from '../../../engine/scheduler/invariants.ts';
import { Scheduler } from '../../../engine/scheduler/scheduler.ts';

/** Requests of a group run a part of the model: their steps are theirs alone, and others go on beside them. */
function create(): Scheduler {
  return new Scheduler({
    slots: 6,
    context: 64,
    maxChunk: 16,
    ragged: true,
    queueLimit: 100,
    keyValueTokenLimit: 1000,
    growthTokens: 0,
    prefix: null,
    store: { copySlot: async () => {}, freeSlot: () => {} },
    listener: { lost: () => {}, preempted: () => {}, notKept: () => {} },
  });
}

function add(scheduler: Scheduler, requestId: string, promptLength: number, group: string | null = null): void {
  const maxTokens = group === null ? 20 : 0;
  scheduler.enqueue({ requestId, promptLength, maxTokens, ready: true, group }, 0);
}

/** A step in words; requests of a group are finished with their prompts. */
async function step(scheduler: Scheduler): Promise<string | null> {
  for (;;) {
    await scheduler.settle();
    const choice = scheduler.plan(0);
    if (!choice) return null;
    const reservation = await scheduler.reserve(choice, 0);
    if (reservation.kind !== 'reserved') continue;
    const { kind, rows } = reservation.step;
    expect(findViolations(scheduler.snapshot())).toEqual([]);
    scheduler.commit(
      new Map(rows.map(({ requestId }) => [requestId, /^\d/.test(requestId) ? 'finished' : 'continue'])),
      20,
      0,
    );
    return `${kind} ${rows.map(({ requestId, count }) => `${requestId}+${count}`).join(' ')}`;
  }
}

describe('requests of a group', () => {
  it('share steps with each other and with nobody else', async () => {
    const scheduler = create();
    add(scheduler, '1a', 4, 'a');
    add(scheduler, '2a', 5, 'a');
    add(scheduler, '3b', 4, 'b');
    add(scheduler, 'x', 4);
    add(scheduler, '4b', 4, 'b');
    const seen = [await step(scheduler), await step(scheduler), await step(scheduler)];
    expect(seen).toEqual(['mixed 1a+4 2a+5', 'prefill 3b+4', 'prefill x+4']);
    expect(await step(scheduler)).toMatch(/^(decode x\+1|prefill 4b\+4)$/);
  });

  it('let rows that decode go on between their steps', async () => {
    const scheduler = create();
    add(scheduler, 'x', 4);
    await step(scheduler);
    for (let at = 0; at < 40; at++) add(scheduler, `${at}a`, 8, 'a');
    const seen: (string | null)[] = [];
    for (let at = 0; at < 12; at++) seen.push(await step(scheduler));
    expect(seen.filter((words) => words === 'decode x+1').length).toBeGreaterThanOrEqual(4);
    expect(seen.some((words) => words?.includes('a+'))).toBe(true);
    // never in one step
    for (const words of seen) expect(/ x\+.*a\+|a\+.* x\+/.test(words ?? '')).toBe(false);
  });

  it('begin with what their content fills in, and hand it on when they are finished, and not before', async () => {
    const scheduler = create();
    const log: string[] = [];
    const content = {
      restore: async (slot: number) => {
        log.push(`restore ${slot}`);
        return 5;
      },
      keep: async (slot: number, tokens: number) => {
        log.push(`keep ${slot}: ${tokens}`);
      },
    };
    scheduler.enqueue({ requestId: '1', promptLength: 30, maxTokens: 0, ready: true, group: 'a', content }, 0);
    await scheduler.settle();
    const choice = scheduler.plan(0);
    if (!choice) throw new Error('nothing to run');
    const reservation = await scheduler.reserve(choice, 0);
    if (reservation.kind !== 'reserved') throw new Error('no step');
    expect(reservation.step.rows).toMatchObject([{ start: 5, count: 16 }]);
    scheduler.commit(new Map([['1', 'continue']]), 1, 0);
    await scheduler.settle();
    expect(log).toEqual(['restore 0']);
    await step(scheduler);
    await scheduler.settle();
    expect(log).toEqual(['restore 0', 'keep 0: 30']);
  });
});
