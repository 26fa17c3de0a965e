import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadDictionary, readDictionary, writeSaelensFolder } from '../../../sae-registry/index.ts';
import { differences, goldenCases, saeFixtures } from '../../harness/dictionaries.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-saelens-export-'));
afterAll(() => rmSync(temporary, { recursive: true }));

const formats = [
  'saelens',
  'sparsify',
  'gemma-scope',
  'gemma-scope-2',
  'dictionary-learning',
  'llama-scope',
  'transcoder-sets',
];
/** What SAELens has no words for. */
const refused: Readonly<Record<string, RegExp>> = {
  'sparsify/layers.3': /does not have GroupMax/,
  'sparsify/layers.1.mlp': /does not have a TopK transcoder/,
  'sparsify/layers.2.mlp': /does not have a TopK transcoder/,
};
let number = 0;

describe.each(formats)('a dictionary of the format %s, written as SAELens has it', (format) => {
  it.each(goldenCases(format))('%s is read back as the same', async (name, golden) => {
    const weights = await readDictionary(join(saeFixtures, format, golden.path), golden.options);
    const hookPoint = weights.hookPoint ?? 'blocks.1.hook_resid_post';
    const hookPointOut = weights.kind === 'transcoder' ? (weights.hookPointOut ?? 'blocks.1.hook_mlp_out') : null;
    const folder = join(temporary, String(number++));
    const write = writeSaelensFolder(folder, weights, { modelName: 'tiny-model', hookPoint, hookPointOut });
    const reason = refused[`${format}/${name}`];
    if (reason)
      return expect(write).rejects.toMatchObject({
        code: 'source_unsupported',
        message: expect.stringMatching(reason),
      });
    await write;
    const again = await loadDictionary(folder);
    const { encode, decode } = differences(again, golden);
    expect(encode).toBeLessThan(1e-5);
    expect(decode).toBeLessThan(1e-5);
    expect(again).toMatchObject({ modelName: 'tiny-model', hookPoint, kind: weights.kind });
    const config = JSON.parse(readFileSync(join(folder, 'cfg.json'), 'utf8'));
    expect(config).toMatchObject({ d_in: weights.encoder.width, d_sae: weights.encoder.features, dtype: 'float32' });
    expect(config.reshape_activations).toBe(hookPoint.endsWith('hook_z') ? 'hook_z' : 'none');
  });
});
