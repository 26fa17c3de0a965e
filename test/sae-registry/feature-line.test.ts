import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { featureLineSchema, featureLineShape } from '../../sae-registry/feature-line.ts';

const line = {
  ...{ index: 3, density: 0.5, max: 4, p999: 3.5, mean: 1.25, histogram: [3, 0, 1] },
  ...{ top_logits: [' a'], bottom_logits: [], top_tokens: ['b', 'c'] },
  examples: [
    { tokens: ['x', 'y'], value: 4, values: [0, 4] },
    { tokens: ['z'], value: -1 },
  ],
};

/** What may stand in place of anything in a line. */
const stray = fc.constantFrom<unknown>(
  ...[undefined, null, -1, 0, 0.5, 1, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY, '1', true],
  ...[{}, [], ['a'], [1], [-1], [null], [Number.NaN], Array(1001).fill('a'), [{ tokens: ['a'], value: 1 }]],
);
const places = [...Object.keys(line), 'example tokens', 'example value', 'example values'];

function changed(place: string, value: unknown): unknown {
  if (!place.startsWith('example ')) return { ...line, [place]: value };
  return { ...line, examples: [...line.examples, { ...line.examples[0], [place.slice('example '.length)]: value }] };
}

describe('the quick check of feature lines', () => {
  it('passes whole lines', () => {
    expect(featureLineShape.isPlain(line)).toBe(true);
    expect(featureLineShape.isPlain({ ...line, index: -1 })).toBe(false);
    expect(featureLineShape.isPlain([line])).toBe(false);
  });

  it('passes nothing that the schema refuses or changes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...places), stray, (place, value) => {
        const one = changed(place, value);
        if (!featureLineShape.isPlain(one)) return;
        expect(featureLineSchema.parse(one)).toEqual(one);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(places)('leaves a line with a mistake in %s to the schema', (place) => {
    const one = changed(place, 'x');
    expect(featureLineShape.isPlain(one)).toBe(false);
    expect(featureLineSchema.safeParse(one).success).toBe(false);
  });
});
