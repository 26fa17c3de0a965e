import { describe, expect, it } from 'vitest';
import { findViolations, type RowSnapshot, type SchedulerSnapshot } from '../../../engine/scheduler/invariants.ts';

const row: RowSnapshot = {
  requestId: 'a',
  arrival: 1,
  slot: 0,
  tokens: 5,
  target: 5,
  promptLength: 5,
  maxTokens: 4,
  leaving: false,
};
const reader: RowSnapshot = { ...row, requestId: 'p', arrival: 2, slot: 2, tokens: 2 };
const good: SchedulerSnapshot = {
  slots: 2,
  context: 64,
  queueLimit: 1,
  keyValueTokenLimit: 20,
  prefixTokens: 12,
  stepInFlight: null,
  waiting: [{ requestId: 'w', arrival: 7, ready: true }],
  prefilling: [reader],
  decoding: [row],
};

describe('findViolations', () => {
  it('is empty when all is well', () => {
    expect(findViolations(good)).toEqual([]);
    expect(findViolations({ ...good, decoding: [{ ...row, slot: 1 }] })).toEqual([]);
    expect(findViolations({ ...good, stepInFlight: 'prefill', decoding: [{ ...row, leaving: true }] })).toEqual([]);
    // read again after a preemption: the prompt and three tokens of the reply
    expect(findViolations({ ...good, prefilling: [{ ...reader, tokens: 6, target: 8 }], prefixTokens: 0 })).toEqual([]);
  });

  it.each<[string, Partial<SchedulerSnapshot>]>([
    ['a decode step with a gap', { stepInFlight: 'decode', decoding: [{ ...row, slot: 1 }] }],
    ['two rows in one slot', { prefilling: [{ ...reader, slot: 0 }] }],
    ['a slot that does not exist', { prefilling: [{ ...reader, slot: 3 }] }],
    ['a row without a slot', { prefilling: [{ ...reader, slot: -1 }] }],
    ['more rows than allowed', { slots: 1, queueLimit: 2, prefilling: [{ ...reader, slot: 1 }] }],
    ['a request in two places', { waiting: [{ requestId: 'a', arrival: 1, ready: true }] }],
    ['more than fits', { queueLimit: 0 }],
    ['a row that runs past its tokens', { decoding: [{ ...row, tokens: 8 }], prefixTokens: 0 }],
    ['a row that decodes before its prompt is read', { decoding: [{ ...row, tokens: 4 }] }],
    ['a prefilling row with nothing left to read', { prefilling: [{ ...reader, tokens: 5 }], prefixTokens: 0 }],
    ['a prefilling row that forgets its prompt', { prefilling: [{ ...reader, target: 4 }] }],
    ['a row beyond the context', { context: 8 }],
    ['a row beyond all memory', { keyValueTokenLimit: 8, prefixTokens: 0 }],
    ['more tokens than memory', { prefixTokens: 14 }],
    ['a row that left but stays', { decoding: [{ ...row, leaving: true }] }],
    [
      'a queue out of order',
      {
        slots: 3,
        waiting: [
          { requestId: 'w', arrival: 7, ready: true },
          { requestId: 'v', arrival: 6, ready: true },
        ],
      },
    ],
  ])('sees %s', (_, change) => {
    expect(findViolations({ ...good, ...change })).not.toEqual([]);
  });
});
