import { describe, expect, it } from 'vitest';
import { tokenLogprob } from '../../../engine/runtime/sampler/logprobs.ts';

describe('tokenLogprob', () => {
  const logits = Float32Array.of(0, 2, 1, -1);
  const logSumExp = Math.log([0, 2, 1, -1].reduce((sum, logit) => sum + Math.exp(logit), 0));
  const row = {
    topValues: Float32Array.of(2, 1),
    topTokenIds: Int32Array.of(1, 2),
    logSumExp,
    full: () => logits,
  };

  it('reports the token and the most likely ones', () => {
    const reported = tokenLogprob(row, 2, 2);
    expect(reported.tokenId).toBe(2);
    expect(reported.logprob).toBeCloseTo(1 - logSumExp, 6);
    expect(reported.top.map((one) => one.tokenId)).toEqual([1, 2]);
    expect(reported.top[0]?.logprob).toBeCloseTo(2 - logSumExp, 6);
  });

  it('reads the whole row only for a token outside the largest', () => {
    expect(tokenLogprob(row, 3, 0)).toMatchObject({ tokenId: 3, top: [] });
    expect(tokenLogprob(row, 3, 0).logprob).toBeCloseTo(-1 - logSumExp, 6);
    const blind = { ...row, full: () => new Float32Array() };
    expect(tokenLogprob(blind, 1, 1).logprob).toBeCloseTo(2 - logSumExp, 6);
  });
});
