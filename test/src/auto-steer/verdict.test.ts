import { describe, expect, it } from 'vitest';
import type { DosePoint } from '../../../routes/services.ts';
import { isEffect, verdictOf } from '../../../src/auto-steer/verdict.ts';

function dose(change: number, more: Partial<DosePoint> = {}, standardError = 0.1): DosePoint {
  return {
    ...{ strength: 0.4, texts: 4, tokens: 40, perplexity: 3, perplexityRatio: 1.2, distinctTrigrams: 1 },
    ...{ longestRepeat: 0, repeatedShare: 0, relativeDose: 0.1, fluent: true, broken: [] },
    effects: [{ mean: change, deviation: 1, count: 4, change, standardError, changeInDeviations: change }],
    ...more,
  };
}
const heldOut = { auroc: 0.9, low: 0.8, high: 1 };
const chosen = { candidate: 'pirate:1', strength: 0.4, edits: [], dose: dose(2) };
const none = { evaluation: null };

describe('what counts as an effect', () => {
  it.each([
    ['one deviation beyond chance', 1.2, 0.3, true],
    ['less than a deviation', 0.9, 0.1, false],
    ['within chance', 1.2, 0.7, false],
    ['the wrong way', -3, 0.1, false],
  ])('%s', (_what, change, error, counts) => expect(isEffect(dose(change, {}, error))).toBe(counts));

  it('is nothing without a score', () => {
    const effects = [
      { mean: null, deviation: null, count: 0, change: null, standardError: null, changeInDeviations: null },
    ];
    expect(isEffect(dose(0, { effects }))).toBe(false);
    expect(isEffect(dose(0, { effects: [] }))).toBe(false);
  });
});

describe('a verdict', () => {
  const known = { heldOut, byModel: true, chosen, prompted: dose(3), tried: [none] };

  it('says effect, cost and what asking does', () => {
    expect(verdictOf(known)).toBe(
      'pirate:1 at strength 0.4 moves what is written by 2.0 standard deviations at 1.20 times the perplexity. A system prompt that asks for it moves the same score by 3.0 standard deviations.',
    );
    const clumsy = dose(3, { fluent: false, broken: ['nothing was generated'] });
    expect(verdictOf({ ...known, prompted: clumsy })).toContain('(not fluent: nothing was generated)');
  });

  it('says that nothing worked, and why', () => {
    const fluent = { evaluation: { strongestFluent: 0.2 } } as Parameters<typeof verdictOf>[0]['tried'][number];
    expect(verdictOf({ ...known, chosen: null })).toMatch(/^Nothing worked: no dose that was tried stays fluent\./);
    expect(verdictOf({ ...known, chosen: null, tried: [none, fluent] })).toMatch(
      /^Nothing worked: no fluent dose moves/,
    );
  });

  it('doubts replies that hardly differ', () => {
    const poor = { ...known, heldOut: { auroc: 0.6, low: 0.4, high: 0.8 } };
    expect(verdictOf(poor)).toContain('held-out AUROC 0.60): a small model writes poor ones; give pairs.');
    expect(verdictOf({ ...poor, byModel: false })).toContain('held-out AUROC 0.60).');
  });
});
