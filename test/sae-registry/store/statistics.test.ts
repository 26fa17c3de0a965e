import { beforeEach, describe, expect, it } from 'vitest';
import {
  examplesOf,
  maxActivations,
  openStore,
  registerSource,
  type Store,
  statisticsOf,
  writeExamples,
  writeStatistics,
} from '../../../sae-registry/store/index.ts';
import { sourceFacts } from './source-facts.ts';

let store: Store;
let source: number;
beforeEach(async () => {
  store = await openStore(null);
  source = registerSource(store, sourceFacts()).key;
});

const figures = { density: 0.25, max: 4, p999: 3.5, mean: 1.25, histogram: [5, 0, 1] };
const lists = { topLogits: [' cat'], bottomLogits: [' dog'], topTokens: [' Cat', '\n'] };

describe('statistics', () => {
  it('are one for each feature: a newer run replaces them and keeps what it did not measure', () => {
    writeStatistics(store, { source, version: 'a', artifact: null }, [
      { feature: 2, ...figures, ...lists },
      { feature: 5, ...figures },
    ]);
    expect(statisticsOf(store, source, 2)).toEqual({ feature: 2, ...figures, ...lists, version: 'a', artifact: null });
    expect(statisticsOf(store, source, 5)).toMatchObject({ topLogits: [], bottomLogits: [], topTokens: [] });
    expect(statisticsOf(store, source, 3)).toBeNull();
    writeStatistics(store, { source, version: 'b', artifact: null }, [
      { feature: 2, ...figures, p999: 7, topTokens: [' kitten'] },
    ]);
    expect(statisticsOf(store, source, 2)).toMatchObject({ p999: 7, version: 'b', ...lists, topTokens: [' kitten'] });
    const { values, versions } = maxActivations(store, source, 6);
    expect([...values]).toEqual([Number.NaN, Number.NaN, 7, Number.NaN, Number.NaN, 3.5]);
    expect(versions).toEqual(['a', 'b']);
  });

  it('are written all or none', () => {
    const wrong = { feature: 1, ...figures, density: null as never };
    expect(() =>
      writeStatistics(store, { source, version: 'a', artifact: null }, [{ feature: 0, ...figures }, wrong]),
    ).toThrow(/NOT NULL/);
    expect(statisticsOf(store, source, 0)).toBeNull();
  });
});

describe('examples', () => {
  it('keep the value of every token, strongest first, in place of earlier ones', () => {
    const weak = { tokens: ['a', ' dog'], values: null, peak: 1 };
    const strong = { tokens: ['a', ' cat'], values: Float32Array.of(0, 2.5), peak: 2.5 };
    writeExamples(store, { source, artifact: null }, [[3, [weak, strong]]]);
    expect(examplesOf(store, source, 3)).toEqual([strong, weak]);
    writeExamples(store, { source, artifact: null }, [[3, [weak]]]);
    expect(examplesOf(store, source, 3)).toEqual([weak]);
    expect(examplesOf(store, source, 4)).toEqual([]);
  });
});
