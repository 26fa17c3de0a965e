import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PositionContext, Positions } from '../../../engine/core/index.ts';
import { positionsMask, positionsOverlap, samePositions } from '../../../engine/steering/index.ts';

/** Prompt: S w w S w w S S (two messages and a generation prompt); token 7 is special wherever it stands. */
const context: PositionContext = {
  promptLength: 8,
  assistantRanges: [[3, 5]],
  promptIsSpecial: Uint8Array.of(1, 0, 0, 1, 0, 0, 1, 1),
  specialTokenIds: new Set([7]),
};
const tokens = Int32Array.of(7, 1, 2, 7, 3, 4, 7, 5, 6, 7, 8, 9);

function touched(positions: Positions, skipSpecial = false, at: PositionContext = context): number[] {
  const mask = positionsMask({ positions, skipSpecial }, at, 0, tokens);
  return [...mask].flatMap((value, position) => (value === 1 ? [position] : []));
}

describe('positions', () => {
  it.each<[Positions, number[], number[]]>([
    ['all', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [1, 2, 4, 5, 8, 10, 11]],
    ['all_but_first', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [1, 2, 4, 5, 8, 10, 11]],
    ['prompt', [1, 2, 3, 4, 5, 6, 7], [1, 2, 4, 5]],
    // The last prompt token predicts the first generated one.
    ['generated', [7, 8, 9, 10, 11], [8, 10, 11]],
    ['assistant', [3, 4, 7, 8, 9, 10, 11], [4, 8, 10, 11]],
    ['last', [7], []],
    [{ from: 3, to: 6 }, [3, 4, 5], [4, 5]],
    [{ from: 6, to: 10 }, [6, 7], []],
    [{ from: 0, to: 1 }, [0], []],
  ])('%j', (positions, all, words) => {
    expect(touched(positions)).toEqual(all);
    expect(touched(positions, true)).toEqual(words);
  });

  it('of a prompt of one token', () => {
    const one = { ...context, promptLength: 1, assistantRanges: [] };
    expect(touched('prompt', false, one)).toEqual([]);
    expect(touched('last', false, one)).toEqual([0]);
    expect(touched('generated', false, one)).toEqual(touched('all', false, one));
  });

  const kind: fc.Arbitrary<Positions> = fc.oneof(
    fc.constantFrom('all', 'all_but_first', 'prompt', 'generated', 'assistant', 'last'),
    fc.tuple(fc.nat(8), fc.integer({ min: 1, max: 8 })).map(([from, length]) => ({ from, to: from + length })),
  );

  it('are the same however the tokens are cut into steps', () => {
    fc.assert(
      fc.property(kind, fc.boolean(), fc.integer({ min: 1, max: 12 }), (positions, skipSpecial, size) => {
        const edit = { positions, skipSpecial };
        const whole = [...positionsMask(edit, context, 0, tokens)];
        const pieces: number[] = [];
        for (let start = 0; start < tokens.length; start += size) {
          pieces.push(...positionsMask(edit, context, start, tokens.slice(start, start + size)));
        }
        expect(pieces).toEqual(whole);
      }),
    );
  });

  it('never overlap unseen: where they share a token, that is known beforehand', () => {
    fc.assert(
      fc.property(kind, kind, fc.integer({ min: 1, max: 12 }), (a, b, promptLength) => {
        const at = { ...context, promptLength, assistantRanges: [[0, 2]] as const };
        const shared = touched(a, false, at).filter((position) => touched(b, false, at).includes(position));
        if (shared.length > 0) {
          expect(positionsOverlap(a, b, null)).toBe(true);
          expect(positionsOverlap(a, b, promptLength)).toBe(true);
        }
        expect(positionsOverlap(a, b, promptLength)).toBe(positionsOverlap(b, a, promptLength));
      }),
    );
  });

  it('are told apart exactly where they can be', () => {
    const range = (from: number, to: number) => ({ from, to });
    expect(positionsOverlap(range(0, 3), range(3, 6), null)).toBe(false);
    expect(positionsOverlap(range(0, 4), range(3, 6), null)).toBe(true);
    expect(positionsOverlap(range(0, 1), 'prompt', null)).toBe(false);
    expect(positionsOverlap(range(0, 1), 'all_but_first', null)).toBe(false);
    expect(positionsOverlap(range(0, 1), 'generated', null)).toBe(true);
    expect(positionsOverlap(range(0, 4), 'generated', 5)).toBe(false);
    expect(positionsOverlap(range(0, 5), 'last', 5)).toBe(true);
    expect(positionsOverlap('prompt', 'generated', 5)).toBe(true);
    expect([
      samePositions('all', 'all'),
      samePositions(range(1, 2), range(1, 2)),
      samePositions(range(1, 2), 'all'),
    ]).toEqual([true, true, false]);
  });
});
