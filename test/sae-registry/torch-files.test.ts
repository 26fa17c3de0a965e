import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDictionary, readDictionary } from '../../sae-registry/index.ts';
import { describeGolden, goldenCases, saeFixtures } from '../harness/dictionaries.ts';

describeGolden('torch-files', 4, [
  {
    golden: 'goodfire',
    what: 'the decoder bias taken off the input',
    change: ({ decoderBias }) => ({ inputBias: decoderBias }),
  },
  {
    golden: 'qwen-scope',
    what: 'one feature more',
    change: () => ({ activation: { kind: 'topk', k: 6, rectified: false } }),
  },
  {
    golden: 'qwen-scope-below-zero',
    what: 'sums below 0 made to 0',
    change: () => ({ activation: { kind: 'topk', k: 5, rectified: true } }),
  },
]);

describe('where a single file of torch belongs', () => {
  it.each([
    ['goodfire', 'Llama-3.1-8B-Instruct', 'blocks.19.hook_resid_post'],
    ['deepseek-r1-bf16', 'DeepSeek-R1-Distill-Llama-8B', 'blocks.19.hook_resid_post'],
    ['qwen-scope', 'Qwen/Qwen3-1.7B-Base', 'blocks.3.hook_resid_post'],
  ])('%s', async (name, modelName, hookPoint) => {
    const path = goldenCases('torch-files').find(([other]) => other === name)?.[1].path ?? '';
    const place = await readDictionary(join(saeFixtures, 'torch-files', path));
    expect(place).toMatchObject({ modelName, hookPoint, hookPointOut: hookPoint });
  });

  it('has to be said where a folder has several', async () => {
    await expect(
      loadDictionary(join(saeFixtures, 'torch-files/SAE-Res-Qwen3-1.7B-Base-W32K-L0_5')),
    ).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/layer3\.sae\.pt, layer4\.sae\.pt .*Name one/),
    });
  });
});
