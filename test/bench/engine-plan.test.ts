import { describe, expect, it } from 'vitest';
import { threadCounts } from '../../bench/engine/peer-search.ts';
import { engineChoices, planMeasurements } from '../../bench/engine/plan.ts';

describe('plan of the engine benchmark', () => {
  const settings = { rounds: 5, promptTokens: 256, steps: 48, batchSteps: 8, threads: 2 };
  const groups = planMeasurements({ ...settings, batches: [1, 32], prefills: [128, 512] }, engineChoices);

  it('puts every engine into a group of the same work at the same level, once', () => {
    expect(groups).toHaveLength(8);
    for (const group of groups) {
      const works = group.map(({ kind, level, rows, promptTokens, steps }) => [kind, level, rows, promptTokens, steps]);
      expect(new Set(works.map(String)).size).toBe(1);
      const engines = group.map(({ engine }) => engine);
      expect(new Set(engines).size).toBe(engines.length);
      expect(engines).toEqual(
        expect.arrayContaining(['tiller-f32', 'tiller-int8', 'llama.cpp-bf16', 'llama.cpp-q4_0']),
      );
    }
  });

  it('measures what is there for orientation at one row only', () => {
    const oriented = groups.flat().filter(({ engine }) => engine === 'tiller-f32-file');
    expect(oriented.map(({ kind, level, rows }) => [kind, level, rows])).toEqual([
      ['decode', 'service', 1],
      ['decode', 'model', 1],
    ]);
  });

  it('tries powers of two and all cores for the peer', () => {
    expect(threadCounts(1)).toEqual([1]);
    expect(threadCounts(2)).toEqual([1, 2]);
    expect(threadCounts(12)).toEqual([1, 2, 4, 8, 12]);
  });
});
