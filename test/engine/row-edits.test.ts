import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Positions } from '../../engine/core/edit.ts';
import { EditChooser } from '../../engine/row-edits.ts';
import { positionsMask } from '../../engine/steering/positions.ts';
import { editOf, requestFrom } from '../harness/requests.ts';

const special = 2;
const editArbitrary = fc
  .record({
    positions: fc.constantFrom<Positions>(
      ...(['all', 'all_but_first', 'prompt', 'generated', 'assistant', 'last'] as const),
      { from: 1, to: 3 },
    ),
    skipSpecial: fc.boolean(),
  })
  .map(({ positions, skipSpecial }) => ({ ...editOf(1, positions), skipSpecial }));

describe('EditChooser', () => {
  it('says what positionsMask says, step after step', () => {
    fc.assert(
      fc.property(
        fc.array(editArbitrary, { maxLength: 6 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (edits, prompt, generated, chunk) => {
          const request = requestFrom({ prompt, edits });
          const positionContext = {
            ...request.positionContext,
            promptIsSpecial: Uint8Array.from(prompt, (id) => (id === special ? 1 : 0)),
            specialTokenIds: new Set([special]),
            assistantRanges: [[2, 4]] as const,
          };
          const chooser = new EditChooser({ ...request, positionContext });
          const check = (start: number, tokens: Int32Array) => {
            const masks = edits.map((edit) => positionsMask(edit, positionContext, start, tokens));
            const expected = masks.flatMap((mask, index) => (mask.includes(1) ? [{ index, mask }] : []));
            const chosen = chooser.choose(start, tokens);
            expect(chosen.indices).toEqual(expected.map(({ index }) => index));
            expect(chosen.edits.map(({ mask }) => [...mask])).toEqual(expected.map(({ mask }) => [...mask]));
            expect(chosen.edits.map(({ edit }) => edit)).toEqual(chosen.indices.map((index) => edits[index]));
          };
          for (let start = 0; start < prompt.length; start += chunk) {
            check(start, Int32Array.from(prompt.slice(start, start + chunk)));
          }
          generated.forEach((id, at) => {
            check(prompt.length + at, Int32Array.of(id));
          });
          // a preempted row reads prompt and reply in chunks
          const all = [...prompt, ...generated];
          for (let start = 0; start < all.length; start += chunk) {
            check(start, Int32Array.from(all.slice(start, start + chunk)));
          }
        },
      ),
    );
  });

  it('gives decode steps the same arrays again', () => {
    const request = requestFrom({ prompt: [3, 4], edits: [editOf(1), editOf(2, 'last')] });
    const chooser = new EditChooser(request);
    const first = chooser.choose(2, Int32Array.of(5));
    expect(first.edits).toHaveLength(1);
    expect(chooser.choose(7, Int32Array.of(9))).toBe(first);
  });
});
