import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDictionary, encoderOf, readDictionary, type Source } from '../../sae-registry/index.ts';
import { goldenCases, greatestDifference, saeFixtures } from '../harness/dictionaries.ts';
import { referenceActive, referenceSums } from '../harness/encoders.ts';
import { base64Floats } from './base64-floats.ts';

const formats = [
  'saelens',
  'dictionary-learning',
  'gemma-scope',
  'gemma-scope-2',
  'llama-scope',
  'sparsify',
  'torch-files',
];
const cases = formats.flatMap((format) => goldenCases(format).map(([name, golden]) => ({ format, name, golden })));
const model = { blocks: 30 };

describe('a dictionary as the engine reads it', () => {
  it.each(cases)('computes what the format’s own library does: $format $name', async ({ format, golden }) => {
    const weights = await readDictionary(join(saeFixtures, format, golden.path), golden.options);
    const dictionary = createDictionary({ ...weights, hookPoint: 'blocks.3.hook_resid_post' });
    const source = { id: 'm/s', hookPoint: 'blocks.3.hook_resid_post', dictionary } as Source;
    const encoder = encoderOf(source, model);
    expect(encoderOf(source, model)).toBe(encoder);
    const stream = base64Floats(golden.stream);
    const { width, outputs } = encoder;
    const made = new Float32Array((stream.length / width) * outputs);
    for (let t = 0; t * width < stream.length; t++) {
      const p = referenceSums(encoder, stream.subarray(t * width, (t + 1) * width));
      for (const [j, value] of referenceActive(encoder, p)) made[t * outputs + j] = value;
    }
    expect(greatestDifference(made, base64Floats(golden.features))).toBeLessThan(1e-5);
  });

  it('reads where its files say, in the canonical spelling, and refuses to guess', async () => {
    const [, golden] = goldenCases('saelens')[0] as [string, { path: string }];
    const weights = await readDictionary(join(saeFixtures, 'saelens', golden.path));
    const source = (more: object) =>
      ({
        id: 'm/s',
        hookPoint: 'blocks.3.hook_mlp_out',
        dictionary: createDictionary({ ...weights, ...more }),
      }) as Source;
    expect(encoderOf(source({ kind: 'transcoder', hookPoint: 'blocks.4.hook_resid_pre' }), model).hookPoint).toBe(
      'blocks.3.hook_resid_post',
    );
    expect(() => encoderOf(source({ kind: 'transcoder', hookPoint: null }), model)).toThrow(
      /does not say which hook point/,
    );
  });
});
