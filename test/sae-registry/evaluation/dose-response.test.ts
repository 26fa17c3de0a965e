import { describe, expect, it } from 'vitest';
import { defaultFluencyLimits, doseResponse, type ScoredText } from '../../../sae-registry/index.ts';

/** A text of ten tokens whose perplexity is e^nats. */
function text(nats: number, score: number | null, more: Partial<ScoredText['repetition']> = {}): ScoredText {
  const repetition = { distinctTrigrams: 1, longestRepeat: 0, repeatedShare: 0, ...more };
  return { tokens: 10, logprob: -10 * nats, repetition, relativeDose: 0.1, scores: [score] };
}
const control = [text(1, 0), text(1, 2)];
const at = (strength: number, ...texts: ScoredText[]) => ({ strength, texts });

describe('a dose response', () => {
  it('has effects against the control, in its own deviations, with a standard error', () => {
    const { control: usual, doses } = doseResponse(control, [at(1, text(1, 4), text(1.2, 6))], defaultFluencyLimits);
    expect(usual).toMatchObject({ texts: 2, tokens: 20, targets: [{ mean: 1, deviation: Math.SQRT2, count: 2 }] });
    expect(usual.perplexity).toBeCloseTo(Math.E, 12);
    const [dose] = doses;
    expect(dose).toMatchObject({ strength: 1, fluent: true, broken: [], relativeDose: 0.1 });
    expect(dose?.perplexityRatio).toBeCloseTo(Math.exp(0.1), 12);
    const [effect] = dose?.effects ?? [];
    expect(effect).toMatchObject({ mean: 5, change: 4 });
    expect(effect?.changeInDeviations).toBeCloseTo(4 / Math.SQRT2, 12);
    expect(effect?.standardError).toBeCloseTo(Math.sqrt(2 / 2 + 2 / 2), 12);
  });

  it('stops at the first strength of a sign that is not fluent, and says why', () => {
    const repeats = { longestRepeat: 6, repeatedShare: 0.6, distinctTrigrams: 0.3 };
    const found = doseResponse(
      control,
      [at(8, text(1, 9)), at(4, text(3, 8)), at(2, text(1.3, 3)), at(1, text(1, 5)), at(-3, text(0.2, -9, repeats))],
      defaultFluencyLimits,
    );
    expect(found.doses.map(({ strength, fluent }) => [strength, fluent])).toEqual([
      [-3, false],
      [1, true],
      [2, true],
      [4, false],
      [8, true],
    ]);
    expect(found).toMatchObject({ strongestFluent: 2, best: 1 });
    expect(found.doses[3]?.broken).toEqual(["perplexity 7.39 times the control's"]);
    expect(found.doses[0]?.broken).toEqual([
      "distinct trigrams 0.30 times the control's",
      '60 % more of a text in its longest repeat',
    ]);
  });

  it('finds none where nothing stays fluent or moves, and never strength 0', () => {
    const found = doseResponse(control, [at(0, text(1, 1)), at(1, text(9, 5))], defaultFluencyLimits);
    expect(found).toMatchObject({ strongestFluent: null, best: null });
    expect(doseResponse(control, [at(1, text(1, 0.5))], defaultFluencyLimits)).toMatchObject({
      strongestFluent: 1,
      best: null,
    });
  });

  it('counts a strength that says nothing as broken', () => {
    const silent = { ...text(1, null), tokens: 0, logprob: 0 };
    const { doses } = doseResponse(control, [at(1, silent)], defaultFluencyLimits);
    expect(doses[0]).toMatchObject({ perplexity: null, fluent: false, broken: ['nothing was generated'] });
    expect(doses[0]?.effects[0]).toMatchObject({ mean: null, change: null, changeInDeviations: null });
  });
});
