import { describe, expect, it } from 'vitest';
import { planMeasurements } from '../../bench/decode-plan.ts';
import { median, pairedRatios, rotated } from '../../bench/statistics.ts';

describe('statistics of the benchmarks', () => {
  it('take the middle value, or the mean of the two', () => {
    expect(median([9, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(() => median([])).toThrow('no values');
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
});

describe('plan of the decoding benchmark', () => {
  const settings = { rounds: 7, promptTokens: 256, steps: 64, batchSteps: 16, threads: 2 };
  const groups = planMeasurements({ ...settings, batches: [1, 4], prefills: [128], steeringRows: [1, 4] });

  it('puts Tiller and llama.cpp BF16 into one group wherever they are compared', () => {
    for (const group of groups.filter(([first]) => first.kind !== 'steering')) {
      expect(group.map(({ engine }) => engine)).toEqual(expect.arrayContaining(['tiller-f32', 'llama.cpp-bf16']));
      expect(new Set(group.map(({ rows, promptTokens }) => `${rows} ${promptTokens}`)).size).toBe(1);
    }
  });

  it('measures steering against no steering in the same group', () => {
    const steering = groups.filter(([first]) => first.kind === 'steering');
    expect(steering.map((group) => group.map(({ rows, edits }) => [rows, edits]))).toEqual([
      [
        [1, 0],
        [1, 1],
        [1, 8],
      ],
      [
        [4, 0],
        [4, 1],
        [4, 8],
      ],
    ]);
  });

  it('gives every measurement of a group a name of its own', () => {
    for (const group of groups) {
      expect(new Set(group.map(({ variant, edits }) => `${variant} ${edits}`)).size).toBe(group.length);
    }
  });
});
