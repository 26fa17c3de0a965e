import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chooseKind,
  chooseTurn,
  chooseVictim,
  chunkTokens,
  chunkUnit,
  isOwed,
  longestOvertaking,
  mostOvertakes,
  prefillBudget,
  roomForPrompt,
  shortestChunkMilliseconds,
  smallestChunk,
  type WaitingTurn,
} from '../../../engine/scheduler/policy.ts';

function waiting(requestId: string, turn: number, more: Partial<WaitingTurn> = {}): WaitingTurn {
  return { requestId, turn, target: 10, overtakes: 0, overtakenSince: null, ...more };
}

describe('chooseTurn', () => {
  const base = { prefilling: [], waiting: [], canStart: () => true, freeRows: 4, roomTokens: 100, now: 0 };
  const chosen = (state: Partial<Parameters<typeof chooseTurn>[0]>) => chooseTurn({ ...base, ...state })?.requestId;

  it('takes the lowest turn, whether it reads already or waits', () => {
    expect(chosen({})).toBeUndefined();
    const prefilling = [
      { requestId: 'long', turn: 7 },
      { requestId: 'other', turn: 9 },
    ];
    expect(chosen({ prefilling })).toBe('long');
    expect(chosen({ prefilling, waiting: [waiting('early', 5), waiting('late', 8)] })).toBe('early');
    expect(chosen({ prefilling, waiting: [waiting('late', 8)] })).toBe('long');
  });

  it('lets a request that cannot start be overtaken by those that can', () => {
    const queue = [waiting('unready', 1), waiting('big', 2, { target: 101 }), waiting('small', 3)];
    expect(chosen({ waiting: queue, canStart: ({ requestId }) => requestId !== 'unready' })).toBe('small');
    expect(chosen({ waiting: queue, freeRows: 0 })).toBeUndefined();
    expect(chosen({ waiting: queue.slice(1, 2) })).toBeUndefined();
  });

  it('lets nobody overtake who has waited for memory long or often enough', () => {
    const prefilling = [{ requestId: 'reader', turn: 9 }];
    const big = { target: 101, overtakenSince: 50 };
    const queue = (more: Partial<WaitingTurn>) => [waiting('big', 1, { ...big, ...more }), waiting('small', 2)];
    expect(chosen({ waiting: queue({ overtakes: mostOvertakes - 1 }), now: 51 })).toBe('small');
    expect(chosen({ waiting: queue({ overtakes: mostOvertakes }), now: 51 })).toBeUndefined();
    expect(chosen({ waiting: queue({}), now: 50 + longestOvertaking })).toBeUndefined();
    expect(isOwed(waiting('never overtaken', 1), 1e9)).toBe(false);
    // those that read already go on meanwhile
    expect(chosen({ waiting: queue({ overtakes: mostOvertakes }), prefilling })).toBe('reader');
    expect(chosen({ waiting: queue({ overtakes: mostOvertakes }), roomTokens: 101 })).toBe('big');
  });
});

describe('roomForPrompt', () => {
  it('leaves what prompts will take, what rows hold and what they will grow by', () => {
    const state = { limit: 100, prefillTargets: [10, 20], decodeTokens: 30, decodeRows: 2, growthTokens: 5 };
    expect(roomForPrompt(state)).toBe(100 - 30 - 30 - 10);
    expect(roomForPrompt({ ...state, prefillTargets: [], decodeTokens: 0, decodeRows: 0 })).toBe(100);
  });
});

describe('chooseKind', () => {
  it('reads a prompt in the step of the rows that decode, where they can share one', () => {
    const state = {
      prefill: true,
      decodeRows: 3,
      spentMilliseconds: 1e6,
      budgetMilliseconds: 1,
      chunkMilliseconds: 1e6,
    };
    expect(chooseKind({ ...state, ragged: true })).toBe('mixed');
    expect(chooseKind({ ...state, ragged: true, decodeRows: 0 })).toBe('prefill');
    expect(chooseKind({ ...state, ragged: true, prefill: false })).toBe('decode');
  });

  const both = { prefill: true, decodeRows: 2, spentMilliseconds: 0, budgetMilliseconds: 40, chunkMilliseconds: 30 };

  it('runs what there is', () => {
    expect(chooseKind({ ...both, prefill: false, decodeRows: 0 })).toBeNull();
    expect(chooseKind({ ...both, prefill: false })).toBe('decode');
    expect(chooseKind({ ...both, decodeRows: 0, spentMilliseconds: 1e6 })).toBe('prefill');
  });

  it('alternates, with more than one chunk in between only where the budget holds them', () => {
    expect(chooseKind(both)).toBe('prefill');
    // one chunk there must be, whatever it takes
    expect(chooseKind({ ...both, chunkMilliseconds: 1000 })).toBe('prefill');
    expect(chooseKind({ ...both, spentMilliseconds: 10 })).toBe('prefill');
    expect(chooseKind({ ...both, spentMilliseconds: 11 })).toBe('decode');
  });
});

describe('chunkTokens', () => {
  const state = { left: 1000, maxChunk: 128, budgetMilliseconds: 50, predict: (tokens: number) => 5 + tokens };

  it('fills the budget in whole units', () => {
    expect(chunkTokens(state)).toBe(40);
    expect(chunkTokens({ ...state, budgetMilliseconds: 45 })).toBe(40);
    expect(chunkTokens({ ...state, budgetMilliseconds: 44.9 })).toBe(32);
    expect(chunkTokens({ ...state, left: 45 })).toBe(45);
    expect(chunkTokens({ ...state, left: 46 })).toBe(40);
  });

  it('needs no budget when no row decodes', () => {
    expect(chunkTokens({ ...state, budgetMilliseconds: null })).toBe(128);
    expect(chunkTokens({ ...state, budgetMilliseconds: null, left: 3 })).toBe(3);
  });

  it('stays within what is left, what the executor takes and the budget, and never starves the prompt', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 512 }),
        fc.double({ min: 0, max: 1000, noNaN: true }),
        fc.double({ min: 0.01, max: 10, noNaN: true }),
        (left, maxChunk, budgetMilliseconds, each) => {
          const predict = (tokens: number) => 1 + each * tokens;
          const tokens = chunkTokens({ left, maxChunk, budgetMilliseconds, predict });
          const most = Math.min(left, maxChunk);
          expect(tokens).toBeLessThanOrEqual(most);
          expect(tokens).toBeGreaterThanOrEqual(Math.min(most, smallestChunk));
          if (tokens > smallestChunk) expect(predict(tokens)).toBeLessThanOrEqual(budgetMilliseconds);
          const next = Math.min(most, tokens + chunkUnit - (tokens % chunkUnit));
          if (next > tokens) expect(predict(next)).toBeGreaterThan(budgetMilliseconds);
        },
      ),
    );
  });
});

describe('prefillBudget', () => {
  it('follows decode steps, down to the shortest chunk worth running', () => {
    expect(prefillBudget(100, 0.8)).toBe(80);
    expect(prefillBudget(10, 0.8)).toBe(shortestChunkMilliseconds);
  });
});

describe('chooseVictim', () => {
  it('is who came last, and never who came first', () => {
    const row = (arrival: number) => ({ arrival });
    expect(chooseVictim([row(4), row(9), row(2)])).toEqual(row(9));
    expect(chooseVictim([row(4)])).toBeNull();
    expect(chooseVictim([])).toBeNull();
  });
});
