import { describe, expect, it } from 'vitest';
import { repetitionOf, saysAny } from '../../../sae-registry/index.ts';

describe('repetition', () => {
  it.each([
    ['nothing', [], null, 0],
    ['what never repeats', [1, 2, 3, 4, 5], 1, 0],
    ['one token over and over', [7, 7, 7, 7], 1 / 2, 3],
    ['a unit of two said three times', [1, 2, 1, 2, 1, 2], 2 / 4, 4],
    ['a token that comes back later', [1, 2, 3, 1, 4, 5], 1, 0],
    ['a unit of three, in the middle', [9, 1, 2, 3, 1, 2, 3, 8], 5 / 6, 3],
  ])('of %s', (_what, tokens, distinctTrigrams, longestRepeat) => {
    expect(repetitionOf(tokens)).toEqual({
      distinctTrigrams,
      longestRepeat,
      repeatedShare: tokens.length === 0 ? 0 : longestRepeat / tokens.length,
    });
  });

  it('does not take a unit that is longer than a sentence for one', () => {
    const unit = Array.from({ length: 25 }, (_, i) => i);
    expect(repetitionOf([...unit, ...unit]).longestRepeat).toBe(0);
    expect(repetitionOf([...unit.slice(1), ...unit.slice(1)]).longestRepeat).toBe(24);
  });
});

describe('words', () => {
  it.each([
    ['Ahoy, matey!', ['ahoy'], true],
    ['The ahoyers', ['ahoy'], false],
    ['xahoy ahoy', ['AHOY'], true],
    ['by the seven  seas', ['seven seas'], false],
    ['the Seven Seas.', ['seven seas'], true],
    ['fun:)', [':)'], true],
    ['größer', ['größe'], false],
    ['', ['a'], false],
  ])('%j says one of %j: %s', (text, words, said) => expect(saysAny(text, words)).toBe(said));
});
