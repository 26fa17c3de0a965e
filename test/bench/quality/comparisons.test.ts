import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DistributionComparison, distributionOf, divergence } from '../../../bench/quality/distributions.ts';
import { fastEncoder } from '../../../bench/quality/encode.ts';
import { FeatureComparison, StreamComparison } from '../../../bench/quality/features.ts';
import { createDictionary, plainDictionary, residentVectors } from '../../../sae-registry/index.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const distribution = (logits: readonly number[]) =>
  distributionOf(Float32Array.from(logits), new Float64Array(logits.length));
/** Logits of the probabilities given, shifted by a constant that must not matter. */
const fromProbabilities = (probabilities: readonly number[], shift = 0) =>
  distribution(probabilities.map((probability) => Math.log(probability) + shift));
const logitLists = fc
  .integer({ min: 2, max: 40 })
  .chain((length) =>
    fc.tuple(
      fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: length, maxLength: length }),
      fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: length, maxLength: length }),
    ),
  );

describe('comparing predictions', () => {
  it('gives the divergence, perplexity and agreement that the definitions give', () => {
    const comparison = new DistributionComparison();
    const half = fromProbabilities([0.5, 0.25, 0.25], 3);
    const other = fromProbabilities([0.25, 0.5, 0.25], -7);
    comparison.add(half, half, 0);
    comparison.add(half, other, 0);
    const summary = comparison.summary();
    expect(summary.tokens).toBe(2);
    expect(summary.divergence.max).toBeCloseTo(0.25 * Math.log(2), 6);
    expect(summary.divergence.mean).toBeCloseTo(0.125 * Math.log(2), 6);
    expect(summary.perplexity).toBeCloseTo(Math.sqrt(2 * 4), 5);
    expect(summary.topAgreement).toBe(0.5);
  });

  it('is zero for the same logits, never negative, and blind to a constant', () => {
    fc.assert(
      fc.property(logitLists, ([a, b]) => {
        expect(divergence(distribution(a), distribution(a))).toBe(0);
        const forth = divergence(distribution(a), distribution(b));
        expect(forth).toBeGreaterThanOrEqual(0);
        const shifted = divergence(distribution(a), distribution(b.map((logit) => logit + 2)));
        expect(Math.abs(shifted - forth)).toBeLessThan(1e-4);
        // Pinsker: what differs in probability shows in the divergence.
        const [p, q] = [distribution(a).probabilities, distribution(b).probabilities];
        const distance = p.reduce((sum, value, i) => sum + Math.abs(value - (q[i] ?? 0)), 0);
        expect(forth).toBeGreaterThanOrEqual(distance ** 2 / 2 - 1e-5);
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses a logit of %s', (bad) => {
    expect(() => distribution([1, bad, 2])).toThrow(/finite/);
    expect(() => distribution([bad, bad])).toThrow(/finite/);
  });
});

describe('comparing features', () => {
  it('counts what appears, what is missed and how far activations move', () => {
    const comparison = new FeatureComparison();
    comparison.add(Float32Array.of(4, 2, 0, 0), Float32Array.of(5, 0, 1, 0));
    comparison.add(Float32Array.of(0, 10, 0, 0), Float32Array.of(0, 9, 0, 0));
    expect(comparison.summary()).toEqual({
      firingInReference: 1.5,
      firing: 1.5,
      precision: 2 / 3,
      recall: 2 / 3,
      jaccard: 0.5,
      weightedJaccard: (4 + 9) / (5 + 2 + 1 + 10),
      relativeError: { median: expect.closeTo(0.175, 9), p99: expect.closeTo(0.2485, 9) },
    });
  });

  it('tells precision from recall', () => {
    const more = new FeatureComparison();
    more.add(Float32Array.of(1, 0, 0), Float32Array.of(1, 1, 1));
    expect(more.summary()).toMatchObject({ precision: 1 / 3, recall: 1, jaccard: 1 / 3 });
    const fewer = new FeatureComparison();
    fewer.add(Float32Array.of(1, 1, 1), Float32Array.of(1, 0, 0));
    expect(fewer.summary()).toMatchObject({ precision: 1, recall: 1 / 3, jaccard: 1 / 3 });
  });

  it('does not make up figures where nothing fires in both', () => {
    const comparison = new FeatureComparison();
    comparison.add(Float32Array.of(1, 0), Float32Array.of(0, 1));
    expect(() => comparison.summary()).toThrow(/no feature/);
  });
});

describe('comparing streams', () => {
  it('gives cosines and relative distances', () => {
    const comparison = new StreamComparison();
    comparison.add(Float32Array.of(3, 4), Float32Array.of(6, 8));
    comparison.add(Float32Array.of(1, 0), Float32Array.of(0, 1));
    const { cosine, relativeError } = comparison.summary();
    expect(cosine.least).toBe(0);
    expect(cosine.median).toBeCloseTo(0.5, 12);
    expect(relativeError.median).toBeCloseTo((1 + Math.SQRT2) / 2, 6);
  });

  it.each([
    [Float32Array.of(0, 0), Float32Array.of(1, 0)],
    [Float32Array.of(1, 0), Float32Array.of(Number.NaN, 0)],
  ])('refuses a stream of zeros or without numbers', (reference, other) => {
    expect(() => new StreamComparison().add(reference, other)).toThrow(/stream/);
  });
});

describe('encoding much text', () => {
  it('gives what the dictionary itself gives, for any number of tokens', () => {
    const next = randomNumbers(3);
    const numbers = (length: number, size = 1) => Float32Array.from({ length }, () => next() * size);
    const [dIn, features] = [6, 40];
    const decoderBias = numbers(dIn);
    const dictionary = createDictionary({
      ...plainDictionary,
      hookPoint: null,
      hookPointOut: null,
      modelName: null,
      hash: '',
      encoder: residentVectors(numbers(dIn * features), features, dIn),
      decoder: residentVectors(numbers(dIn * features), features, dIn),
      encoderBias: numbers(features),
      decoderBias,
      activation: { kind: 'jumprelu', thresholds: numbers(features) },
      inputBias: decoderBias,
      inputScale: 1.5,
    });
    const encode = fastEncoder(dictionary);
    for (const tokens of [1, 3, 4, 9]) {
      const stream = numbers(tokens * dIn, 4);
      const expected = dictionary.encode(stream);
      const got = encode(stream);
      expect(got).toHaveLength(expected.length);
      expect([...got].filter((value) => value > 0).length).toBeGreaterThan(tokens);
      for (const [i, value] of got.entries()) expect(Math.abs(value - expected[i])).toBeLessThan(1e-5);
      expect(got.map((value) => Number(value > 0))).toEqual(expected.map((value) => Number(value > 0)));
    }
    expect(() => encode(new Float32Array(dIn + 1))).toThrow(/wide/);
  });
});
