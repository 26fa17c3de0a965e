import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createDictionary,
  type Dictionary,
  type DictionaryWeights,
  loadDictionary,
  readDictionary,
} from '../../sae-registry/index.ts';
import { base64Floats } from '../sae-registry/base64-floats.ts';

export const saeFixtures = join(import.meta.dirname, '../fixtures/saes');

const goldenSchema = z.record(
  z.string(),
  z.object({
    path: z.string(),
    stream: z.string(),
    features: z.string(),
    output: z.string(),
    options: z.object({ foldDecoderNorms: z.boolean() }).optional(),
  }),
);
export type GoldenCase = z.infer<typeof goldenSchema>[string];

/** What the format's own library made of each dictionary (test/fixtures/saes/make_saes.py). */
export function goldenCases(format: string): [string, GoldenCase][] {
  const text = readFileSync(join(saeFixtures, format, 'golden.json'), 'utf8');
  return Object.entries(goldenSchema.parse(JSON.parse(text)));
}

/** The greatest difference, relative to the expected value's size where that is above 1. */
export function greatestDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values for ${expected.length}`);
  return actual.reduce((most, value, i) => {
    const difference = Math.abs(value - expected[i]) / Math.max(1, Math.abs(expected[i]));
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
}

/** Encodes and decodes a case's input; the differences from its golden. */
export function differences(dictionary: Dictionary, golden: GoldenCase): { encode: number; decode: number } {
  const stream = base64Floats(golden.stream);
  const features = base64Floats(golden.features);
  return {
    encode: greatestDifference(dictionary.encode(stream), features),
    decode: greatestDifference(dictionary.decode(features, stream), base64Floats(golden.output)),
  };
}

/** A reading of a case's files that is not its format's: what is wrong with it, and the description so read. */
export interface WrongReading {
  readonly golden: string;
  readonly what: string;
  readonly change: (weights: DictionaryWeights) => Partial<DictionaryWeights>;
}

/** Every case of a format, resident and read row by row, equals its golden; feature by feature too, where features read by their rows. */
export function describeGolden(format: string, count: number, wrong: readonly WrongReading[]): void {
  describe(`${format}: what the format's own library computes`, () => {
    const cases = goldenCases(format);
    it(`is there for ${count} dictionaries`, () => expect(cases).toHaveLength(count));

    it.each(wrong)('would not be equalled with $what', async ({ golden: name, change }) => {
      const golden = cases.find(([other]) => other === name)?.[1];
      if (golden === undefined) throw new Error(`no case ${name}`);
      const weights = await readDictionary(join(saeFixtures, format, golden.path), golden.options);
      const { encode, decode } = differences(createDictionary({ ...weights, ...change(weights) }), golden);
      expect(Math.max(encode, decode)).toBeGreaterThan(1e-2);
    });

    it.each(cases)('%s', async (_, golden) => {
      for (const maxResidentMatrixBytes of [2 ** 30, 0]) {
        const path = join(saeFixtures, format, golden.path);
        const dictionary = await loadDictionary(path, { ...golden.options, maxResidentMatrixBytes });
        const { encode, decode } = differences(dictionary, golden);
        expect(encode).toBeLessThan(1e-5);
        expect(decode).toBeLessThan(1e-5);
        const activations = base64Floats(golden.features);
        expect(activations.some((value) => value > 0) && activations.some((value) => value === 0)).toBe(true);
        if (dictionary.readsByRow) expectRows(dictionary, base64Floats(golden.stream), activations);
        if (dictionary.writesByRow) expectWrites(dictionary, base64Floats(golden.stream));
      }
    });
  });
}

/** A feature's own row and threshold say its activation. */
function expectRows(dictionary: Dictionary, stream: Float32Array, activations: Float32Array): void {
  const { dIn, features } = dictionary;
  for (let index = 0; index < features; index++) {
    const { encoder, bias, threshold } = dictionary.feature(index);
    for (let t = 0; t * dIn < stream.length; t++) {
      const p = encoder.reduce((sum, value, i) => sum + value * stream[t * dIn + i], bias);
      const expected = activations[t * features + index];
      expect(Math.abs((p > threshold ? p : 0) - expected)).toBeLessThan(1e-4 * Math.max(1, expected));
    }
  }
}

/** One unit of a feature adds its decoder vector. */
function expectWrites(dictionary: Dictionary, stream: Float32Array): void {
  const { dOut, features } = dictionary;
  const silent = new Float32Array((stream.length / dictionary.dIn) * features);
  const without = dictionary.decode(silent, stream);
  for (const index of [0, features - 1]) {
    const one = silent.slice();
    one[index] = 1;
    const added = dictionary.decode(one, stream).slice(0, dOut);
    expect(
      greatestDifference(
        added.map((value, i) => value - without[i]),
        dictionary.feature(index).decoder,
      ),
    ).toBeLessThan(1e-4);
  }
}
