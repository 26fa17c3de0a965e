import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openRegistry } from '../../../sae-registry/index.ts';
import {
  findArtifact,
  findSource,
  listSources,
  openStore,
  registerSource,
  removeSource,
  type Store,
} from '../../../sae-registry/store/index.ts';
import { sourceFacts } from './source-facts.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-sources-'));
afterAll(() => rmSync(folder, { recursive: true }));

let store: Store;
beforeEach(async () => {
  store = await openStore(null);
});

const label = (source: number, text: string) =>
  store.connection
    .prepare(`insert into labels (source, feature, text, method, author) values (?, 0, ?, 'm', 'a')`)
    .run(source, text);
const labelsOf = (source: number) =>
  store.connection.prepare('select text from labels where source = ?').pluck().all(source);

describe('the known sources', () => {
  it('are written down once, with where they come from', () => {
    const first = registerSource(store, sourceFacts());
    const again = registerSource(store, sourceFacts({ path: '/elsewhere/res' }));
    expect(again).toEqual({ ...first, path: '/elsewhere/res', artifact: expect.any(Number) });
    expect(findArtifact(store, first.artifact as number)).toMatchObject({ kind: 'dictionary', origin: '/saes/res' });
    expect(findArtifact(store, again.artifact as number)).toMatchObject({ origin: '/elsewhere/res' });
    expect(registerSource(store, sourceFacts()).artifact).toBe(first.artifact);
    expect(findSource(store, 'tiny-model', 'res')?.key).toBe(first.key);
    expect(findSource(store, 'tiny-model', 'other')).toBeNull();
    expect(findArtifact(store, 999)).toBeNull();
  });

  it('are listed by model and name, and removed with all that is theirs', () => {
    const { key } = registerSource(store, sourceFacts());
    registerSource(store, sourceFacts({ name: 'mlp' }));
    registerSource(store, sourceFacts({ model: 'another' }));
    label(key, 'dogs');
    expect(listSources(store).map(({ model, name }) => `${model}/${name}`)).toEqual([
      'another/res',
      'tiny-model/mlp',
      'tiny-model/res',
    ]);
    expect(listSources(store, 'another')).toHaveLength(1);
    expect(removeSource(store, 'tiny-model', 'res')).toBe(true);
    expect(removeSource(store, 'tiny-model', 'res')).toBe(false);
    expect(labelsOf(key)).toEqual([]);
  });

  it('keep what belongs to other weights of the same name, and find it again', () => {
    const first = registerSource(store, sourceFacts());
    label(first.key, 'of the first');
    const second = registerSource(store, sourceFacts({ hash: 'b'.repeat(64) }));
    expect(second.key).not.toBe(first.key);
    expect(labelsOf(second.key)).toEqual([]);
    expect(listSources(store).map(({ name }) => name)).toEqual(['res', `res~${'a'.repeat(12)}`]);
    label(second.key, 'of the second');
    expect(registerSource(store, sourceFacts()).key).toBe(first.key);
    expect(labelsOf(first.key)).toEqual(['of the first']);
    expect(listSources(store).map(({ name }) => name)).toEqual(['res', `res~${'b'.repeat(12)}`]);
  });

  it.each(['..', '.', 'a/b', 'a\\b', 'a b', '', 'a\u0000b'])('refuse the name %j', (name) => {
    expect(() => registerSource(store, sourceFacts({ name }))).toThrow(/cannot name a source/);
  });

  it('are those that a registry has opened', async () => {
    const path = join(folder, 'tiller.db');
    const model = { id: 'smollm2-135m-instruct', dModel: 576, blocks: 30, hash: 'abc' };
    for (let run = 0; run < 2; run++) {
      const onDisk = await openStore(path);
      const registry = await openRegistry({ model, sources: ['smollm2-135m-instruct/17-res-4k'], store: onDisk });
      const [known] = listSources(onDisk);
      expect(known).toMatchObject({ name: '17-res-4k', layer: 17, features: 4096, dIn: 576, hookPointOut: null });
      expect(known?.hash).toBe(registry.sources[0]?.dictionary.hash);
      expect(registry.sources[0]?.key).toBe(known?.key);
      expect(listSources(onDisk)).toHaveLength(1);
      onDisk.close();
    }
  });
});
