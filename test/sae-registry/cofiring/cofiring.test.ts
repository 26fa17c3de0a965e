import { describe, expect, it } from 'vitest';
import { closestInSample } from '../../../sae-registry/cofiring/closest-in-sample.ts';
import { CofiringCount } from '../../../sae-registry/cofiring/cofiring-count.ts';
import { FiringSample } from '../../../sae-registry/cofiring/firing-sample.ts';
import { asActivations, plainCounts, randomFirings } from './random-firings.ts';

const features = 24;
const tokens = randomFirings(900, features);

/** All that fire together with `feature` at least three times, by the plain definition; best first, equal ones by index. */
function plainly(feature: number, one = tokens, other = tokens, except = feature) {
  return Array.from({ length: features }, (_, index) => ({ index, ...plainCounts(one, other, feature, index) }))
    .filter(({ index, both }) => index !== except && both >= 3)
    .map(({ index, a, b, both }) => ({ index, together: both, fired: b, value: both / Math.sqrt(a * b) }))
    .sort((x, y) => y.value - x.value || x.index - y.index);
}

describe('what fires together in a sample', () => {
  it('is for each feature the others by the cosine of their firing', () => {
    const found = [...closestInSample(tokens, features, 5)];
    expect(found.map(({ feature }) => feature)).toEqual(
      Array.from({ length: features }, (_, j) => j).filter((j) => tokens.some((row) => row.includes(j))),
    );
    for (const { feature, fired, others } of found) {
      expect(fired).toBe(plainCounts(tokens, tokens, feature, feature).a);
      const expected = plainly(feature).slice(0, 5);
      expect(others).toEqual(expected.map(({ index, together, fired: its }) => ({ index, together, fired: its })));
    }
    expect(found[0]?.others[0]?.index).toBe(1);
  });
});

describe('a sample of tokens', () => {
  const fill = (sample: FiringSample, from: number, to: number) => {
    for (const row of tokens.slice(from, to)) sample.add(row);
    return sample;
  };

  it('is all of them while there is room', () => {
    const sample = fill(new FiringSample(), 0, tokens.length);
    expect(sample.share).toBe(1);
    expect(sample.tokens).toEqual(tokens);
  });

  it('holds no more than it may, and each token as likely as any other', () => {
    const most = 400;
    const kept = new Float64Array(4);
    const sample = new FiringSample(most);
    for (let i = 0; i < 40_000; i++) {
      // what fires says when it came
      sample.add(Uint32Array.of(i >> 3, 1_000_000));
      expect(sample.tokens.length).toBeLessThanOrEqual(most / 2);
    }
    for (const row of sample.tokens) kept[Math.floor((row[0] as number) / 1250)]++;
    expect(sample.share).toBe(2 ** Math.round(Math.log2(sample.share)));
    expect(sample.tokens.length / 40_000 / sample.share).toBeCloseTo(1, 0);
    for (const count of kept) expect(count / sample.tokens.length).toBeCloseTo(0.25, 0);
    expect(Math.min(...kept)).toBeGreaterThan(10);
  });

  it('goes on from what was saved as if it had never stopped', () => {
    const whole = fill(new FiringSample(500), 0, tokens.length);
    const first = fill(new FiringSample(500), 0, 333);
    const second = new FiringSample(500);
    second.restore(structuredClone(first.save()));
    fill(second, 333, tokens.length);
    expect(whole.share).toBeLessThan(1);
    expect(second.tokens).toEqual(whole.tokens);
    expect(second.share).toBe(whole.share);
  });
});

describe('counting on texts', () => {
  const others = randomFirings(900, features, 8);
  const texts = Array.from({ length: 9 }, (_, i) => ({ from: 100 * i, to: 100 * (i + 1) }));

  it('gives the same as the plain definition, within a source and in another one', () => {
    const count = new CofiringCount({ source: 0, index: 2 }, [features, features]);
    for (const { from, to } of texts) {
      count.add([
        { activations: asActivations(tokens.slice(from, to)), sinkNorm: null },
        { activations: asActivations(others.slice(from, to)), sinkNorm: null },
      ]);
    }
    expect([count.tokens, count.fired]).toEqual([900, plainCounts(tokens, tokens, 2, 2).a]);
    expect(count.closest(0, 6)).toEqual(plainly(2).slice(0, 6));
    expect(count.closest(1, 6)).toEqual(plainly(2, tokens, others, -1).slice(0, 6));
  });

  it('leaves out first tokens and what any of the sources takes for a sink', () => {
    const count = new CofiringCount({ source: 0, index: 0 }, [2, 2]);
    const fires = [Uint32Array.of(0), Uint32Array.of(0), Uint32Array.of(0)];
    const norms = Float32Array.of(1, 1, 50, 1);
    count.add([
      { activations: { ...asActivations(fires), norms }, sinkNorm: null },
      { activations: { ...asActivations(fires), norms }, sinkNorm: 10 },
    ]);
    expect([count.tokens, count.fired]).toEqual([2, 2]);
    // two tokens together are too few
    expect(count.closest(1, 3)).toEqual([]);
  });
});
