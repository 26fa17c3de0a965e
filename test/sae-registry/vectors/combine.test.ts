import { describe, expect, it } from 'vitest';
import { combineVectors, cosineOf, similarityOf, type VectorTerm } from '../../../sae-registry/index.ts';

const place = 'blocks.1.hook_resid_post';
const at = (hookPoint: string, ...values: number[]) => ({ hookPoint, values: Float32Array.from(values) });
const term = (scale: number, unit: boolean, ...values: number[]): VectorTerm => ({
  directions: [at(place, ...values)],
  scale,
  unit,
});
const plain = { orthogonalTo: [], unit: false };
const only = (found: ReturnType<typeof combineVectors>) => Array.from(found[0]?.values ?? []);

describe('a sum of vectors', () => {
  it('scales each, at unit length where that is asked for', () => {
    expect(only(combineVectors({ ...plain, terms: [term(2, false, 1, 0, 0), term(-5, true, 0, 3, 4)] }))).toEqual([
      2, -3, -4,
    ]);
  });

  it('goes hook point by hook point: where a term has none it adds nothing', () => {
    const both = { directions: [at(place, 1, 1), at('blocks.2.hook_resid_post', 5, 0)], scale: 1, unit: false };
    expect(combineVectors({ ...plain, terms: [both, term(1, false, 0, 2)] })).toEqual([
      at(place, 1, 3),
      at('blocks.2.hook_resid_post', 5, 0),
    ]);
  });

  it('is orthogonal to all that others span, nearly parallel ones too, and to nothing elsewhere', () => {
    const random = (seed: number) => Array.from({ length: 64 }, (_, i) => Math.sin(seed * 100 + i * (seed + 0.7)));
    const [a, b] = [random(1), random(2)];
    const nearly = a.map((value, i) => value + 1e-3 * (b[i] ?? 0));
    const others = [[at(place, ...a)], [at(place, ...nearly)], [at(place, ...a.map((value) => -2 * value))]];
    const [found] = combineVectors({ terms: [term(1, false, ...random(3))], orthogonalTo: others, unit: true });
    const along = (axis: readonly number[]) =>
      Math.abs(cosineOf(found?.values ?? new Float32Array(), Float32Array.from(axis)) ?? 1);
    expect(Math.max(along(a), along(nearly))).toBeLessThan(1e-6);
    // what the two differ by has four digits in float32
    expect(along(b)).toBeLessThan(1e-4);
    expect(Math.hypot(...(found?.values ?? []))).toBeCloseTo(1, 6);
    const elsewhere = [[at('blocks.9.hook_resid_post', 1, 0)]];
    expect(only(combineVectors({ terms: [term(1, false, 3, 4)], orthogonalTo: elsewhere, unit: false }))).toEqual([
      3, 4,
    ]);
  });

  it.each([
    ['terms that cancel out', [term(1, false, 1, 2), term(-1, false, 1, 2)], []],
    ['what lies in the span', [term(1, false, 2, 2)], [[at(place, 1, 1)]]],
    ['zeros at unit length', [term(1, true, 0, 0)], []],
    ['a sum beyond float32', [term(1e30, false, 1e30, 0)], []],
    ['two widths', [term(1, false, 1, 0), term(1, false, 1)], []],
  ])('refuses %s', (_what, terms, orthogonalTo) => {
    expect(() => combineVectors({ terms, orthogonalTo, unit: false })).toThrow(
      expect.objectContaining({ code: 'edit_not_applicable', param: 'terms' }),
    );
  });
});

describe('similarity', () => {
  it('is a matrix of cosines at each hook point, of those that are there', () => {
    const found = similarityOf([
      { name: 'a', directions: [at(place, 3, 4)] },
      { name: 'b', directions: [at('blocks.2.hook_resid_post', 1, 0)] },
      { name: 'c', directions: [at(place, -4, 3), at('blocks.2.hook_resid_post', -2, 0)] },
      { name: 'none', directions: [at(place, 0, 0)] },
    ]);
    expect(found).toEqual([
      {
        hookPoint: place,
        names: ['a', 'c', 'none'],
        norms: [5, 5, 0],
        cosines: [
          [1, 0, null],
          [0, 1, null],
          [null, null, null],
        ],
      },
      {
        hookPoint: 'blocks.2.hook_resid_post',
        names: ['b', 'c'],
        norms: [1, 2],
        cosines: [
          [1, -1],
          [-1, 1],
        ],
      },
    ]);
  });
});
