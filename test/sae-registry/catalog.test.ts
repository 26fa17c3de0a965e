import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalogReleases, findCatalogEntry, loadDictionary, searchCatalog } from '../../sae-registry/index.ts';
import { goldenCases, saeFixtures } from '../harness/dictionaries.ts';
import { base64Floats } from './base64-floats.ts';

describe('the catalog', () => {
  it('has releases of every published family, each with a way to its dictionaries', () => {
    const releases = catalogReleases();
    expect(new Set(releases.map(({ release }) => release)).size).toBe(releases.length);
    for (const { release, path, paths, examples, dictionaries } of releases) {
      expect([release, path !== undefined || Object.keys(paths ?? {}).length === dictionaries]).toEqual([
        release,
        true,
      ]);
      if (path !== undefined) expect([release, path.includes('{id}') && examples.length > 0]).toEqual([release, true]);
    }
    for (const words of ['gemma-scope 9b', 'llama_scope', 'qwen scope', 'mwhanna', 'goodfire', 'andyrdt', 'pythia']) {
      expect([words, searchCatalog(words).length > 0]).toEqual([words, true]);
    }
    expect(searchCatalog('no such thing')).toEqual([]);
  });

  it.each([
    ['gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82', 'layer_12/width_16k/average_l0_82'],
    ['gemma-scope-2b-pt-res-canonical/layer_0/width_16k/canonical', 'layer_0/width_16k/average_l0_105'],
    ['qwen-scope-3-8b-base-w64k-l50/layer7', 'layer7.sae.pt'],
    ['mwhanna-qwen3-4b-transcoders/layer_3', 'layer_3.safetensors'],
    ['llama_scope_lxr_8x/l0r_8x', 'Llama3_1-8B-Base-L0R-8x'],
  ])('knows where %s lies', (name, path) => {
    expect(findCatalogEntry(name)?.path).toBe(path);
  });

  it('refuses what no loader reads, and ids that a release has not, with the nearest', () => {
    expect(findCatalogEntry('no-such-release/x')).toBeNull();
    expect(() => findCatalogEntry('temporal-sae-gemma-2-2b/blocks.12.hook_resid_post')).toThrow(
      /temporal.*not supported/,
    );
    expect(() => findCatalogEntry('llama_scope_lxr_8x/l99r_8x')).toThrow(
      expect.objectContaining({
        code: 'source_not_found',
        suggestions: expect.arrayContaining([expect.stringMatching(/lxr_8x\/l9r_8x/)]),
      }),
    );
  });
});

describe('what the catalog knows of how a dictionary was made', () => {
  it('makes one whose files do not say it equal to one whose files do', async () => {
    const golden = new Map(goldenCases('saelens')).get('centred');
    if (!golden) throw new Error('no golden');
    const folder = mkdtempSync(join(tmpdir(), 'tiller-centred-'));
    cpSync(join(saeFixtures, 'saelens', golden.path), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'cfg.json'), 'utf8'));
    delete config.model_from_pretrained_kwargs;
    delete config.metadata?.model_from_pretrained_kwargs;
    writeFileSync(join(folder, 'cfg.json'), JSON.stringify(config));
    const stream = base64Floats(golden.stream);
    const expected = base64Floats(golden.features);
    const difference = (values: Float32Array) =>
      values.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
    const plain = await loadDictionary(folder);
    const centred = await loadDictionary(folder, { madeWith: { center_writing_weights: true } });
    rmSync(folder, { recursive: true });
    expect(difference(centred.encode(stream))).toBeLessThan(1e-5);
    expect(difference(plain.encode(stream))).toBeGreaterThan(1e-2);
  });
});
