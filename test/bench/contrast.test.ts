import { describe, expect, it } from 'vitest';
import { checkContrast } from '../../bench/contrast/gates.ts';
import { type ContrastResults, contrastResults } from '../../bench/contrast/results.ts';
import { contrastTables } from '../../bench/contrast/tables.ts';
import { fixtures } from './fixture-results.ts';

const area = { auroc: 0.99, low: 0.98, high: 1 };
const effect = {
  strength: -0.09,
  change: -1.5,
  standardErrorInDeviations: 0.3,
  perplexityRatio: 1.4,
  distinctTrigrams: 0.99,
  fluent: true,
};
const results: ContrastResults = {
  machine: fixtures.engine.machine,
  settings: { model: 'm', positions: 'mean', folds: 5, temperature: 1, maxTokens: 24, prompts: 8, seeds: 2 },
  sets: [
    {
      name: 'moods',
      pairs: 200,
      topics: 10,
      tokens: 6000,
      bagOfWords: { ...area, auroc: 0.95 },
      methods: [
        {
          method: 'difference_of_means',
          hookPoint: 'blocks.14',
          heldOut: area,
          effectSize: 3,
          norm: 19,
          relativeNorm: 0.1,
        },
      ],
      search: [effect],
      fresh: {
        ...effect,
        texts: 16,
        control: { mean: 3, deviation: 2, perplexity: 8 },
        controlChange: 0.1,
        unsteeredText: 'plain words',
        steeredText: 'gloomy words',
      },
    },
  ],
};
const [set] = results.sets;
const withFresh = (fresh: typeof set.fresh) => checkContrast({ ...results, sets: [{ ...set, fresh }] });

describe('bench:contrast', () => {
  it('keeps its promises by size, whatever the sign', () => {
    expect(checkContrast(results).map(({ passed }) => passed)).toEqual([true, true, true, true]);
  });

  it('fails where nothing was fluent, the text suffered or the control moved', () => {
    const failed = (fresh: typeof set.fresh) => withFresh(fresh).filter(({ passed }) => !passed).length;
    expect(failed(null)).toBe(3);
    expect(failed(set.fresh && { ...set.fresh, perplexityRatio: 1.6 })).toBe(1);
    expect(failed(set.fresh && { ...set.fresh, controlChange: -0.8 })).toBe(1);
    expect(failed(set.fresh && { ...set.fresh, change: 0.4 })).toBe(1);
  });

  it('shows the bag of words beside every method, and both texts', () => {
    expect(contrastResults.parse(results)).toEqual(results);
    const tables = contrastTables(results);
    expect(tables.get('contrast-held-out')).toContain('| moods: bag of words |  | 0.9500');
    expect(tables.get('contrast-steering')).toContain('| moods | −0.09 | −1.50 ± 0.30 | 1.40 | +0.10 |');
    expect(tables.get('contrast-steering')).toContain('gloomy words');
    expect(contrastTables(null).get('contrast-steering')).toContain('Not measured yet');
  });
});
