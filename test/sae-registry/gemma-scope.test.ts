import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readDictionary } from '../../sae-registry/index.ts';
import { describeGolden, goldenCases, saeFixtures } from '../harness/dictionaries.ts';

describeGolden('gemma-scope', 5, [
  { golden: 'residual', what: 'thresholds dropped', change: () => ({ activation: { kind: 'relu' } }) },
  {
    golden: 'mlp-compressed',
    what: 'the decoder bias taken off the input',
    change: ({ decoderBias }) => ({ inputBias: decoderBias }),
  },
  { golden: 'embedding', what: 'inputs of four times the size', change: () => ({ inputScale: 4 }) },
]);

describeGolden('gemma-scope-2', 5, [
  { golden: 'residual', what: 'thresholds dropped', change: () => ({ activation: { kind: 'relu' } }) },
  { golden: 'transcoder-affine', what: 'nothing skipping', change: () => ({ skip: null }) },
  {
    golden: 'transcoder-affine',
    what: 'the skip connection in the other layout',
    change: ({ skip }) => ({ skip: skip?.map((_, at) => skip[(at % 16) * 16 + Math.floor(at / 16)]) ?? null }),
  },
]);

describe('where a dictionary of Gemma Scope belongs', () => {
  it.each([
    ['gemma-scope', 'residual', 'google/gemma-2-2b', 'blocks.12.hook_resid_post', 'blocks.12.hook_resid_post'],
    ['gemma-scope', 'mlp-compressed', 'google/gemma-2-9b', 'blocks.3.hook_mlp_out', 'blocks.3.hook_mlp_out'],
    ['gemma-scope', 'attention', 'google/gemma-2-2b', 'blocks.5.attn.hook_z', 'blocks.5.attn.hook_z'],
    ['gemma-scope', 'embedding', 'google/gemma-2-2b', 'hook_embed', 'hook_embed'],
    [
      'gemma-scope',
      'transcoder-fortran-order',
      'google/gemma-2-2b',
      'blocks.7.ln2.hook_normalized',
      'blocks.7.hook_mlp_out',
    ],
    ['gemma-scope-2', 'residual', 'gemma-3-1b-it', 'blocks.5.hook_resid_post', 'blocks.5.hook_resid_post'],
    ['gemma-scope-2', 'attention', 'gemma-3-1b-it', 'blocks.7.attn.hook_z', 'blocks.7.attn.hook_z'],
    ['gemma-scope-2', 'mlp-no-config', 'gemma-3-1b-it', 'blocks.2.hook_mlp_out', 'blocks.2.hook_mlp_out'],
    ['gemma-scope-2', 'transcoder-affine', 'gemma-3-1b-it', 'blocks.9.mlp.hook_in', 'blocks.9.hook_mlp_out'],
  ])('%s, %s', async (format, name, modelName, hookPoint, hookPointOut) => {
    const path = goldenCases(format).find(([other]) => other === name)?.[1].path ?? '';
    const place = await readDictionary(join(saeFixtures, format, path));
    expect(place).toMatchObject({ modelName, hookPoint, hookPointOut });
  });
});
