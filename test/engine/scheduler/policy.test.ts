import { describe, expect, it } from 'vitest';
import { chooseNextPrefill, chooseStep } from '../../../engine/scheduler/policy.ts';

describe('chooseStep', () => {
  const base = { prefillTokensLeft: null, decodeRows: 0, previous: null, maxChunk: 8 } as const;

  it('has nothing to do when nothing runs', () => {
    expect(chooseStep(base)).toEqual({ kind: 'idle' });
  });

  it('decodes when no row prefills, whatever came before', () => {
    for (const previous of [null, 'prefill', 'decode'] as const) {
      expect(chooseStep({ ...base, decodeRows: 3, previous })).toEqual({ kind: 'decode' });
    }
  });

  it('bounds a chunk by maxChunk and by what is left', () => {
    expect(chooseStep({ ...base, prefillTokensLeft: 20 })).toEqual({ kind: 'prefill', tokens: 8 });
    expect(chooseStep({ ...base, prefillTokensLeft: 3, previous: 'prefill' })).toEqual({ kind: 'prefill', tokens: 3 });
  });

  it('alternates when rows decode and another prefills', () => {
    const both = { ...base, decodeRows: 2, prefillTokensLeft: 20 };
    expect(chooseStep({ ...both, previous: 'prefill' })).toEqual({ kind: 'decode' });
    expect(chooseStep({ ...both, previous: 'decode' })).toEqual({ kind: 'prefill', tokens: 8 });
  });
});

describe('chooseNextPrefill', () => {
  const waiting = [
    { requestId: 'a', ready: false },
    { requestId: 'b', ready: true },
    { requestId: 'c', ready: true },
  ];

  it('takes the first that is ready', () => {
    expect(chooseNextPrefill({ waiting, prefilling: false, freeSlots: 1 })).toBe('b');
    expect(chooseNextPrefill({ waiting: waiting.slice(0, 1), prefilling: false, freeSlots: 1 })).toBeNull();
  });

  it('waits for a slot and for the row that prefills', () => {
    expect(chooseNextPrefill({ waiting, prefilling: false, freeSlots: 0 })).toBeNull();
    expect(chooseNextPrefill({ waiting, prefilling: true, freeSlots: 4 })).toBeNull();
  });
});
