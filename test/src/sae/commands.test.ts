import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openStore, rememberedSources } from '../../../sae-registry/index.ts';
import { profiles } from '../../../sae-registry/store/schema.ts';
import { loadConfig } from '../../../src/config.ts';
import { openModel } from '../../../src/open-model.ts';
import { hubRepository } from '../../engine/checkpoint/acquire/hub-repository.ts';
import { type HubServer, startHub } from '../../engine/checkpoint/acquire/hub-server.ts';
import { writeSparseSafetensors } from '../../harness/write-safetensors.ts';
import { cli } from '../cli-harness.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-sae-'));
const model = join(temporary, 'tiny-model');
cpSync(join(import.meta.dirname, '../../fixtures/tiny-llama/f32'), model, { recursive: true });
const [cacheDir, dataDir] = [join(temporary, 'cache'), join(temporary, 'data')];
const place = ['--data-dir', dataDir];
const add = (what: string, ...more: string[]) => [
  ...['sae', 'add', what, '--model', model, '--cache-dir', cacheDir, ...place],
  ...more,
];
let hub: HubServer | null = null;
afterEach(async () => {
  await hub?.close();
  hub = null;
});
afterAll(() => rmSync(temporary, { recursive: true }));

/** A dictionary of eight features of the tiny model, or of what `config` says otherwise. */
function write(name: string, config: Readonly<Record<string, unknown>> = {}): string {
  const path = join(temporary, name);
  mkdirSync(path, { recursive: true });
  const cfg = { architecture: 'standard', d_in: 64, d_sae: 8, model_name: 'tiny-model', ...config };
  const { d_in: width, d_sae: features } = cfg as { d_in: number; d_sae: number };
  writeSparseSafetensors(join(path, 'sae_weights.safetensors'), {
    W_enc: { dtype: 'F32', shape: [width, features], values: new Map([[3, 1]]) },
    W_dec: { dtype: 'F32', shape: [features, width], values: new Map([[5, 1]]) },
    b_enc: { dtype: 'F32', shape: [features] },
    b_dec: { dtype: 'F32', shape: [width] },
  });
  writeFileSync(join(path, 'cfg.json'), JSON.stringify({ hook_name: 'blocks.1.hook_resid_post', ...cfg }));
  return path;
}

/** The same as files of a repository. */
function files(path: string, under: string): Record<string, Buffer> {
  const names = ['cfg.json', 'sae_weights.safetensors'];
  return Object.fromEntries(names.map((name) => [`${under}${name}`, readFileSync(join(path, name))]));
}

async function serve(repository: string, held: Record<string, Buffer>): Promise<Record<string, string>> {
  hub = await startHub(hubRepository({ repository, revisions: { main: { commit: 'a'.repeat(40), files: held } } }));
  return { HOME: '/nowhere', HF_ENDPOINT: hub.endpoint };
}

async function remembered() {
  const store = await openStore(join(dataDir, 'tiller.db'));
  const found = rememberedSources(store);
  store.close();
  return found;
}

describe('tiller sae', () => {
  it('adds a folder, which is listed and loaded with its model from then on, and removes it', async () => {
    const path = write('mine');
    expect(await cli(add(path))).toMatchObject({ code: 0, stdout: 'tiny-model/mine\n' });
    // again is no other source
    expect(await cli(add(path))).toMatchObject({ code: 0 });
    expect((await cli(['sae', 'list', ...place])).stdout).toMatch(/tiny-model\/mine +added .*mine/);
    expect((await cli(['sae', 'show', 'tiny-model/mine', ...place])).stdout).toMatch(/features +8\n/);
    const store = await openStore(join(dataDir, 'tiller.db'));
    const config = loadConfig({ model: [model], cacheDir, operators: 'onnxruntime', warmUp: 'none' }, {});
    const ready = await openModel(config, { store });
    expect(ready.registry.sources.map(({ id }) => id)).toEqual(['tiny-model/mine']);
    await ready.close();
    // a saved steering that was frozen with it keeps it
    const row = { model: 'tiny-model', name: 'calm', version: 2, steering: {}, frozen: {} };
    store.db
      .insert(profiles)
      .values({ ...row, fingerprint: { sources: { 'tiny-model/mine': 'x' } } })
      .run();
    const refused = await cli(['sae', 'remove', 'tiny-model/mine', ...place]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/used by calm:2/) });
    store.db.delete(profiles).run();
    store.close();
    expect(await cli(['sae', 'remove', 'tiny-model/mine', ...place])).toMatchObject({ code: 0 });
    expect(await remembered()).toEqual([]);
    expect(existsSync(path)).toBe(true);
    expect(await cli(['sae', 'remove', 'tiny-model/mine', ...place])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/No source 'tiny-model\/mine' was added\. Added: none/),
    });
  });

  it.each([
    ['another model', { model_name: 'other-model' }, /is a source of other-model, not of tiny-model/],
    ['another width', { d_in: 32 }, /reads|writes .* 32 wide; that of tiny-model is 64 wide/],
    ['a block that is not there', { hook_name: 'blocks.7.hook_resid_post' }, /blocks\.7.*has 3 blocks/],
  ])('refuses a dictionary of %s by name, and remembers nothing', async (_, config, message) => {
    expect(await cli(add(write('wrong', config)))).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
    expect(await remembered()).toEqual([]);
  });

  it('refuses the name of a source that is there, and names that lead elsewhere', async () => {
    expect(await cli(add(write('one')))).toMatchObject({ code: 0 });
    const other = write('two');
    expect(await cli(add(other, '--name', 'one'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is there already/),
    });
    for (const name of ['..', 'a/b', '.', 'a b']) {
      expect(await cli(add(other, '--name', name))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/cannot name a source/),
      });
    }
    await cli(['sae', 'remove', 'tiny-model/one', ...place]);
  });

  it('fetches a dictionary from a folder of the Hub once, and says which of several', async () => {
    const path = write('source');
    const held = {
      ...files(path, 'layer_1/width_8/'),
      ...files(path, 'layer_2/width_8/'),
      'README.md': Buffer.from('x'),
    };
    const environment = await serve('someone/saes', held);
    const what = 'someone/saes:layer_1/width_8';
    expect(await cli(add(what), { environment })).toMatchObject({ code: 0, stdout: 'tiny-model/layer_1-width_8\n' });
    const asked = hub?.requests.length;
    expect(await cli(add(what, '--offline'), { environment })).toMatchObject({ code: 0 });
    expect(hub?.requests).toHaveLength(asked ?? 0);
    expect(await remembered()).toMatchObject([{ name: 'layer_1-width_8', origin: what }]);
    expect(await cli(add('someone/saes'), { environment })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /several dictionaries \(layer_1\/width_8\/sae_weights\.safetensors, layer_2.*Name one/,
      ),
    });
    expect(await cli(add('someone/saes:layer_3'), { environment })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/holds no dictionary/),
    });
    await cli(['sae', 'remove', 'tiny-model/layer_1-width_8', ...place]);
  });

  it('keeps files whose paths lead out of the folder where they are', async () => {
    const path = write('source');
    const environment = await serve('someone/hostile', { ...files(path, '../../evil/'), ...files(path, 'a/../../') });
    for (const what of ['someone/hostile', 'someone/hostile:../../evil', 'someone/hostile:a/../..']) {
      expect((await cli(add(what), { environment })).code).toBe(1);
    }
    expect(existsSync(join(cacheDir, 'evil'))).toBe(false);
    expect(await remembered()).toEqual([]);
  });

  it('takes off the mean that the catalog knows a release was made without', async () => {
    // the release is of gpt2; a dictionary of it is refused by the tiny model's name once its files are there
    const path = write('jb', { model_name: 'gpt2-small', hook_name: 'blocks.1.hook_resid_pre' });
    const environment = await serve('jbloom/GPT2-Small-SAEs-Reformatted', files(path, 'blocks.1.hook_resid_pre/'));
    const refused = await cli(add('gpt2-small-res-jb/blocks.1.hook_resid_pre'), { environment });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/is a source of gpt2, not of tiny-model/) });
    const fetched = join(cacheDir, 'sources/main/jbloom/GPT2-Small-SAEs-Reformatted/blocks.1.hook_resid_pre');
    const card = JSON.parse(readFileSync(join(fetched, 'source.json'), 'utf8'));
    expect(card).toEqual({ id: 'gpt2/blocks.1.hook_resid_pre', made_with: { center_writing_weights: true } });
  });

  it('searches the catalog without the network', async () => {
    const found = await cli(['sae', 'list', '--catalog', 'gemma-2-2b', 'hook_resid_post', '16k', ...place]);
    expect(found.stdout).toMatch(/gemma-scope-2b-pt-res .*gemma-2-2b .*Gemma Scope/);
    const json = await cli(['sae', 'list', '--catalog', 'gpt2-small-res-jb', '--json', ...place]);
    expect(JSON.parse(json.stdout)[0]).toMatchObject({
      made_with: { center_writing_weights: true },
      format: 'SAELens',
    });
    expect((await cli(['sae', 'list', 'words', ...place])).code).toBe(2);
    const missing = await cli(add('gpt2-small-res-jp/blocks.1.hook_resid_pre:x y'));
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/gpt2-small-res-jb/) });
  });
});
