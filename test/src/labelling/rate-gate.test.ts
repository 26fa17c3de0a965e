import { describe, expect, it } from 'vitest';
import { type Clock, RateGate } from '../../../src/labelling/rate-gate.ts';
import { cost, describeTokens, estimateTokens } from '../../../src/labelling/spending.ts';

/** Time that passes only where somebody sleeps. */
function fakeClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    sleep: async (milliseconds) => {
      now += milliseconds;
    },
  };
}

async function timesOf(gate: RateGate, clock: Clock, tokens: readonly number[]): Promise<number[]> {
  return Promise.all(tokens.map((amount) => gate.pass(amount).then(() => clock.now())));
}

describe('rate limits', () => {
  it('let so many requests through within any minute', async () => {
    const clock = fakeClock();
    const gate = new RateGate({ requestsPerMinute: 3, tokensPerMinute: null }, clock);
    expect(await timesOf(gate, clock, Array(7).fill(1))).toEqual([0, 0, 0, 60_000, 60_000, 60_000, 120_000]);
  });

  it('let so many tokens through within any minute; one that is too large goes alone', async () => {
    const clock = fakeClock();
    const gate = new RateGate({ requestsPerMinute: null, tokensPerMinute: 100 }, clock);
    expect(await timesOf(gate, clock, [60, 40, 50, 500, 10])).toEqual([0, 0, 60_000, 120_000, 180_000]);
  });

  it('count what a request took in truth', async () => {
    const clock = fakeClock();
    const gate = new RateGate({ requestsPerMinute: null, tokensPerMinute: 100 }, clock);
    (await gate.pass(90)).settle(20);
    await gate.pass(80);
    expect(clock.now()).toBe(0);
  });

  it('let nobody through while the endpoint asks to wait', async () => {
    const clock = fakeClock();
    const gate = new RateGate({ requestsPerMinute: null, tokensPerMinute: null }, clock);
    gate.close(5_000);
    gate.close(1_000);
    expect(await timesOf(gate, clock, [1, 1])).toEqual([5_000, 5_000]);
  });
});

describe('what it costs', () => {
  it('is tokens times prices, and unknown without prices', () => {
    expect(cost({ prompt: 2e6, answer: 1e6 }, { prompt: 0.5, answer: 4 })).toBe(5);
    expect(cost({ prompt: 2e6, answer: 1e6 }, { prompt: null, answer: 4 })).toBe(4);
    expect(cost({ prompt: 1, answer: 1 }, { prompt: null, answer: null })).toBeNull();
    expect(describeTokens({ prompt: 12_345, answer: 67 }, { prompt: 1, answer: 1 })).toBe(
      '12,345 tokens of prompts and 67 of answers, $0.0124',
    );
    expect(describeTokens({ prompt: 1, answer: 2 }, { prompt: null, answer: null })).toBe(
      '1 tokens of prompts and 2 of answers',
    );
    expect(estimateTokens('12345')).toBe(2);
  });
});
