import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dictionaryModelName, loadDictionary, readDictionary } from '../../sae-registry/index.ts';
import { describeGolden, saeFixtures } from '../harness/dictionaries.ts';

describeGolden('transcoder-sets', 3, [
  {
    golden: 'qwen3',
    what: 'the decoder bias taken off the input',
    change: ({ decoderBias }) => ({ inputBias: decoderBias }),
  },
  { golden: 'llama-skip', what: 'nothing skipping', change: () => ({ skip: null }) },
  { golden: 'jumprelu', what: 'thresholds dropped', change: () => ({ activation: { kind: 'relu' } }) },
]);

const folder = mkdtempSync(join(tmpdir(), 'tiller-sets-'));
afterAll(() => rmSync(folder, { recursive: true }));
const qwen = join(saeFixtures, 'transcoder-sets/qwen3-tiny-transcoders');

describe('a layer of a set', () => {
  it('belongs where the set says', async () => {
    expect(await readDictionary(join(qwen, 'layer_3.safetensors'))).toMatchObject({
      kind: 'transcoder',
      modelName: 'Qwen/Qwen3-4B',
      hookPoint: 'blocks.3.mlp.hook_in',
      hookPointOut: 'blocks.3.mlp.hook_out',
    });
    const llama = join(saeFixtures, 'transcoder-sets/transcoder-Llama-3.2-1B/layer_2.safetensors');
    expect(await readDictionary(llama)).toMatchObject({ hookPoint: 'blocks.2.hook_resid_mid' });
    expect(await dictionaryModelName(llama)).toBe('meta-llama/Llama-3.2-1B');
  });

  it('has to be named where there are several', async () => {
    cpSync(qwen, join(folder, 'two'), { recursive: true });
    cpSync(join(qwen, 'layer_3.safetensors'), join(folder, 'two/layer_4.safetensors'));
    await expect(loadDictionary(join(folder, 'two'))).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/several dictionaries .*Name one/),
    });
  });
});

describe('what is recognised and refused by name', () => {
  const cases: [string, Record<string, string>, RegExp][] = [
    [
      'clt',
      { 'W_enc_0.safetensors': '', 'W_dec_0.safetensors': '', 'config.yaml': 'model_kind: x' },
      /cross-layer transcoder/,
    ],
    [
      'set',
      { 'layer_0.safetensors': '', 'config.yaml': 'model_kind: cross_layer_transcoder' },
      /cross-layer transcoder/,
    ],
    ['gemma/clt/width_262k', { 'params_layer_0.safetensors': '' }, /cross-layer transcoder/],
    ['gemma/crosscoder/width_262k', { 'params_layer_0.safetensors': '' }, /crosscoder/],
    ['cc', { 'cfg.json': '{}', 'cc_weights.pt': '' }, /crosscoder/],
    ['temporal', { 'conf.yaml': '', 'latest_ckpt.safetensors': '' }, /temporal/],
    ['L1R', { 'config.json': '{}', 'sae_weights.safetensors': '' }, /R1 Distill/],
    ['on-the-hub', { 'config.yaml': 'transcoders: ["hf://a/b"]' }, /download one/],
  ];
  it.each(cases)('%s', async (name, files, message) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
    await expect(loadDictionary(path)).rejects.toMatchObject({
      code: 'source_unsupported',
      message: expect.stringMatching(message),
    });
  });
});
