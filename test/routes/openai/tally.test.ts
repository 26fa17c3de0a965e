import { describe, expect, it } from 'vitest';
import type { EditReport, GenerationEvent } from '../../../engine/core/index.ts';
import type { Generation } from '../../../routes/openai/generation.ts';
import { Tally } from '../../../routes/openai/tally.ts';

const report = (tokens: number): EditReport => ({
  tokens,
  sinkTokens: 0,
  coefficient: null,
  relativeDose: null,
  readBefore: null,
  readAfter: null,
});

function extrasOf(choices: readonly (readonly number[])[]) {
  const request = { sampling: { seed: 1 } };
  const generation = {
    requests: choices.map(() => request),
    promptTokens: 3,
    choices: 1,
    steering: { params: ['steering.edits[0]', 'steering.edits[1]'], report: () => null },
    seed: 1,
    warnings: [{ param: 'foo', message: 'x' }],
  } as unknown as Generation;
  const tally = new Tally(generation);
  choices.forEach((tokens, index) => {
    const value = { type: 'finish', completionTokens: 2, edits: tokens.map(report) } as unknown as GenerationEvent;
    tally.count({ index, value });
  });
  expect(tally.complete).toBe(true);
  return tally.extras();
}

describe('usage', () => {
  it("counts the cached tokens of a prompt's first choice, and tokens that came joined", () => {
    const request = { sampling: { seed: 1 } };
    // two prompts of 10 tokens with two choices each
    const generation = { requests: [request, request, request, request], choices: 2, promptTokens: 20 };
    const tally = new Tally(generation as unknown as Generation);
    [3, 9, 0, 9].forEach((cachedTokens, index) => {
      tally.count({ index, value: { type: 'prompt', logprobs: null, queueMilliseconds: 0, cachedTokens } });
    });
    tally.count({ index: 0, value: { type: 'tokens', text: 'abc', count: 3, logprobs: [] } });
    tally.count({ index: 3, value: { type: 'token', tokenId: 1, text: 'a', logprob: null } });
    expect(tally.usage()).toEqual({
      prompt_tokens: 20,
      completion_tokens: 4,
      total_tokens: 24,
      prompt_tokens_details: { cached_tokens: 3 },
    });
  });
});

describe('an edit that was applied at no token', () => {
  it('is warned about, with the choices it missed', () => {
    const { warnings } = extrasOf([
      [4, 0],
      [4, 7],
      [4, 0],
    ]);
    expect(warnings).toEqual([
      { param: 'foo', message: 'x' },
      { param: 'steering.edits[1]', message: expect.stringMatching(/no token in choice 0, 2:/) },
    ]);
  });

  it('in the only choice is named without it, and edits that were applied are not', () => {
    expect(extrasOf([[0]]).warnings?.[1]?.message).toMatch(/no token: its positions/);
    expect(extrasOf([[1, 5]]).warnings).toHaveLength(1);
  });
});
