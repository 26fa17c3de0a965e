import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { between, quantile, readHistogram } from '../../bench/histogram.ts';
import { parseCpuTime, parseStat } from '../../bench/processor-time.ts';
import { seededRandom } from '../../bench/random.ts';
import { mean, median, pairedRatios, percentile, rotated, standardDeviation } from '../../bench/statistics.ts';

describe('statistics of the benchmarks', () => {
  it('take the middle value, or the mean of the two', () => {
    expect(median([9, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(() => median([])).toThrow('no values');
  });

  it('interpolate percentiles as numpy does', () => {
    expect(percentile([10, 20, 30, 40], 90)).toBeCloseTo(37, 10);
    expect(percentile([5], 99)).toBe(5);
    expect(percentile([3, 1, 2], 100)).toBe(3);
    expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toBe(2);
    expect(mean([1, 2, 6])).toBe(3);
  });

  it('keep percentiles in order and within the values', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 });
    const share = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(values, share, share, (list, a, b) => {
        const [low, high] = [percentile(list, Math.min(a, b)), percentile(list, Math.max(a, b))];
        expect(low).toBeLessThanOrEqual(high + 1e-6);
        expect(low).toBeGreaterThanOrEqual(Math.min(...list) - 1e-6);
        expect(high).toBeLessThanOrEqual(Math.max(...list) + 1e-6);
      }),
    );
  });

  it('pair values of the same round, so that drift falls out', () => {
    expect(pairedRatios([50, 25, 5], [40, 20, 4])).toEqual([1.25, 1.25, 1.25]);
    expect(() => pairedRatios([1, 2], [1])).toThrow('cannot be paired');
  });

  it('begin every round with another measurement', () => {
    const rounds = [0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''));
    expect(rounds).toEqual(['abc', 'bca', 'cab', 'abc']);
    expect(rotated([], 5)).toEqual([]);
  });

  it('draw the same numbers for the same seed, evenly from 0 to below 1', () => {
    const draw = (seed: number) => Array.from({ length: 10_000 }, seededRandom(seed));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(Math.min(...draw(7))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draw(7))).toBeLessThan(1);
    expect(mean(draw(7))).toBeCloseTo(0.5, 1);
  });
});

describe('a histogram of /metrics', () => {
  const page = (counts: readonly number[]) =>
    ['# TYPE delay histogram', ...[0.01, 0.1, '+Inf'].map((le, i) => `delay_bucket{le="${le}"} ${counts[i]}`)].join(
      '\n',
    );

  it('gives quantiles of what came between two readings', () => {
    const [before, after] = [
      [100, 100, 100],
      [190, 199, 200],
    ].map((counts) => readHistogram(page(counts), 'delay'));
    const between01 = between(before, after);
    expect(quantile(between01, 0.45)).toBeCloseTo(0.005, 10);
    expect(quantile(between01, 0.945)).toBeCloseTo(0.055, 10);
    expect(quantile(between01, 1)).toBe(0.1);
    expect(() => quantile(between(before, before), 0.5)).toThrow('nothing was observed');
    expect(() => readHistogram(page([1, 1, 1]), 'other')).toThrow('no histogram other');
  });
});

describe('processor time of another process', () => {
  it('is read from /proc and from ps', () => {
    const stat = `42 (a (strange) name) S ${Array.from({ length: 40 }, (_, i) => (i === 10 ? 250 : i === 11 ? 50 : 1)).join(' ')}`;
    expect(parseStat(stat)).toBe(3);
    expect(parseCpuTime('1-02:03:04')).toBe(93_784);
    expect(parseCpuTime('12:34.5')).toBe(754.5);
  });
});
