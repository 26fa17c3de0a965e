import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTurnPace, type TurnPace } from '../../engine/turn-pace.ts';
import { engineOverFakes, idsOf, long, prompt } from '../harness/engine-over-fakes.ts';
import { generate } from '../harness/requests.ts';

const noPace: TurnPace = { begin: () => {}, isDue: () => false, turn: () => Promise.resolve() };

const setUp = (pace: TurnPace) => engineOverFakes({}, { pace });

/** A pace that lets the event loop turn before every row, and calls `onTurn` then. */
function slicing(onTurn: () => void = () => {}): TurnPace {
  return {
    begin: () => {},
    isDue: () => true,
    turn: async () => {
      onTurn();
      await nextTurn();
    },
  };
}

/** Three replies of 30 tokens that share batches. */
function three(engine: ReturnType<typeof setUp>['engine'], signal: AbortSignal | null = null) {
  return Promise.all(
    ['a', 'b', 'c'].map((id) =>
      generate(engine, { id, prompt, stop: long, sampling: { temperature: 1 }, signal: id === 'b' ? signal : null }),
    ),
  );
}

describe('the pace of a turn', () => {
  it('is due once the work has taken 4 ms, and again 4 ms after each turn', async () => {
    let now = 100;
    let turns = 0;
    const pace = createTurnPace(
      () => now,
      async () => {
        turns++;
        now += 7;
      },
    );
    now = 103.9;
    expect(pace.isDue()).toBe(false);
    now = 104;
    expect(pace.isDue()).toBe(true);
    await pace.turn();
    expect([turns, pace.isDue()]).toEqual([1, false]);
    now += 4;
    expect(pace.isDue()).toBe(true);
    pace.begin();
    expect(pace.isDue()).toBe(false);
  });
});

describe('a step whose rows are taken in slices', () => {
  it('gives the same replies as one that is not sliced', async () => {
    const whole = await three(setUp(noPace).engine);
    const sliced = await three(setUp(slicing()).engine);
    expect(sliced.map(({ tokenIds, text }) => ({ tokenIds, text }))).toEqual(
      whole.map(({ tokenIds, text }) => ({ tokenIds, text })),
    );
  });

  it('does not turn where the work is short, and turns between rows where it is long', async () => {
    let now = 0;
    let milliseconds = 0;
    let turns = 0;
    const turn = () => {
      turns++;
      return nextTurn();
    };
    // each look at the clock finds that a row has taken so long
    const pace = createTurnPace(() => {
      now += milliseconds;
      return now;
    }, turn);
    await three(setUp(pace).engine);
    expect(turns).toBe(0);
    milliseconds = 2;
    await three(setUp(pace).engine);
    expect(turns).toBeGreaterThan(20);
  });

  it('shows nothing of itself before it is committed', async () => {
    let step = 0;
    const seen: number[] = [];
    const pace = slicing(() => seen.push(step));
    const { engine, events, executor } = setUp(pace);
    const replies = three(engine);
    while (!events.some((event) => event.type === 'finished')) {
      step = events.filter(({ type }) => type === 'step').length;
      const told = events.filter(({ type }) => type === 'first_token' || type === 'next_token').length;
      const committed = events.reduce((rows, event) => (event.type === 'step' ? rows + event.rows : rows), 0);
      expect(told).toBeLessThanOrEqual(committed);
      await nextTurn();
    }
    await replies;
    // it was looked at in the middle of steps
    expect(seen.length).toBeGreaterThan(executor.plans.length);
  });

  for (const [when, row] of [
    ['before its row is taken', 0],
    ['after its row was taken', 2],
  ] as const) {
    it(`gives nothing to who leaves in the middle of it, ${when}, and the others all they should get`, async () => {
      const whole = await three(setUp(noPace).engine);
      const controller = new AbortController();
      let turnsInStep = 0;
      let told = 0;
      const { engine, executor } = setUp(
        slicing(() => {
          const plan = executor.plans.at(-1);
          if (plan?.rows.length === 3 && plan.rows[0]?.start === 12 && turnsInStep++ === row) {
            // a token of each step that was committed
            told = executor.plans.slice(0, -1).filter((other) => idsOf(other).includes('b')).length;
            controller.abort();
          }
        }),
      );
      const [a, b, c] = await three(engine, controller.signal);
      expect(told).toBeGreaterThan(0);
      expect(b?.error?.code).toBe('cancelled');
      expect(b?.tokenIds).toEqual(whole[1]?.tokenIds.slice(0, told));
      expect([a?.tokenIds, c?.tokenIds]).toEqual([whole[0]?.tokenIds, whole[2]?.tokenIds]);
      const at = executor.plans.findIndex((plan) => plan.rows.length === 3 && plan.rows[0]?.start === 12);
      expect(executor.plans.slice(at + 1).flatMap(idsOf)).not.toContain('b');
      expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0, keyValueTokens: 0 });
    });
  }

  it('is waited for by close', async () => {
    let closing: Promise<void> | null = null;
    const { engine, executor } = setUp(
      slicing(() => {
        if (executor.plans.length > 5) closing ??= engine.close();
      }),
    );
    const replies = await three(engine);
    expect(replies.map(({ error }) => error?.code)).toEqual(['draining', 'draining', 'draining']);
    await closing;
    expect(executor.closed()).toBe(true);
  });
});
