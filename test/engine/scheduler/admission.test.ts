import { describe, expect, it } from 'vitest';
import { TillerError } from '../../../engine/core/errors.ts';
import { admit, estimateRetryAfter } from '../../../engine/scheduler/admission.ts';

const room = { context: 100, keyValueTokenLimit: 1000, slots: 2, queueLimit: 3, inside: 0, recentFinishes: [], now: 0 };

function refusal(promptLength: number, maxTokens: number, snapshot = room): TillerError {
  try {
    admit({ promptLength, maxTokens }, snapshot);
  } catch (error) {
    if (error instanceof TillerError) return error;
  }
  throw new Error('it was admitted');
}

describe('admit', () => {
  it('fills the context to the last token and not beyond', () => {
    admit({ promptLength: 60, maxTokens: 40 }, room);
    admit({ promptLength: 100, maxTokens: 0 }, room);
    const error = refusal(60, 41);
    expect(error.code).toBe('context_length_exceeded');
    expect(error.param).toBe('max_tokens');
    expect(error.message).toContain('100 tokens');
    expect(error.message).toContain('at most 40');
    expect(refusal(101, 0)).toMatchObject({ code: 'context_length_exceeded', param: 'prompt' });
  });

  it('refuses at once what KV memory could never hold, naming that limit', () => {
    const small = { ...room, keyValueTokenLimit: 80 };
    admit({ promptLength: 60, maxTokens: 20 }, small);
    const error = refusal(60, 21, small);
    expect(error.code).toBe('context_length_exceeded');
    expect(error.message).toContain('KV memory holds 80 tokens');
    expect(error.message).toContain('at most 20');
    expect(refusal(81, 0, small).param).toBe('prompt');
  });

  it('refuses an empty prompt', () => {
    expect(refusal(0, 5)).toMatchObject({ code: 'invalid_request', param: 'prompt' });
  });

  it('counts slots and queue together', () => {
    admit({ promptLength: 1, maxTokens: 1 }, { ...room, inside: 4 });
    const error = refusal(1, 1, { ...room, inside: 5 });
    expect(error.code).toBe('queue_full');
    expect(error.retryAfterSeconds).toBeGreaterThan(0);
    expect(refusal(1, 1, { ...room, inside: 2, queueLimit: 0 }).code).toBe('queue_full');
  });
});

describe('estimateRetryAfter', () => {
  it('is the mean time between finishes', () => {
    expect(estimateRetryAfter([0, 4000, 8000], 8000)).toBe(4);
    expect(estimateRetryAfter([0, 10, 20], 30)).toBe(1);
  });

  it('grows while nothing finishes, up to a bound', () => {
    expect(estimateRetryAfter([0, 1000], 31_000)).toBe(30);
    expect(estimateRetryAfter([0, 1000], 10_000_000)).toBe(120);
  });

  it('has a default before anything finished', () => {
    expect(estimateRetryAfter([], 0)).toBe(5);
  });
});
