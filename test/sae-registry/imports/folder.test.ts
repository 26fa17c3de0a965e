import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openRegistry } from '../../../sae-registry/index.ts';
import {
  addArtifact,
  findArtifact,
  openStore,
  removeSource,
  type Store,
  stageLabels,
  writeStatistics,
} from '../../../sae-registry/store/index.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-folder-'));
afterAll(() => rmSync(temporary, { recursive: true }));

const model = { id: 'tiny-model', dModel: 16, blocks: 4, hash: 'abc' };
const figures = { density: 0.1, max: 2, p999: 1.5, mean: 1, histogram: [1] };
const lines = (...values: object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

let store: Store;
let folder: string;
let number = 0;
beforeEach(async () => {
  const place = join(temporary, String(number++));
  store = await openStore(join(place, 'tiller.db'));
  folder = join(place, 'mine');
  cpSync(join(import.meta.dirname, '../../fixtures/tiny-sae/jumprelu-v6'), folder, { recursive: true });
});

const write = (name: string, ...values: object[]) => writeFileSync(join(folder, name), lines(...values));
const open = () => openRegistry({ model, sources: [folder], store });
const get = async (index: number) => (await open()).get('tiny-model', 'mine', String(index));
const changes = () => Number(store.connection.prepare('select total_changes()').pluck().get());

describe("the files of a source's folder", () => {
  it('are read into the store once', async () => {
    write('labels.jsonl', { index: 1, label: 'cats' });
    const example = { tokens: ['a', ' cat'], value: 2, values: [0.5, 2] };
    write('features.jsonl', { index: 1, ...figures, top_tokens: [' cat'], examples: [example] });
    const first = await get(1);
    expect(first).toMatchObject({ label: 'cats', topTokens: [' cat'], examples: [example], statistics: figures });
    await open();
    const before = changes();
    expect(await get(1)).toEqual(first);
    // what is left is the source's own row
    expect(changes() - before).toBeLessThan(3);
    const [label] = store.connection.prepare('select artifact from labels').pluck().all();
    expect(findArtifact(store, label as number)).toMatchObject({
      kind: 'labels',
      origin: join(folder, 'labels.jsonl'),
    });
  });

  it('replace what an earlier form of them brought, and nothing else', async () => {
    write('labels.jsonl', { index: 1, label: 'cats' }, { index: 1, label: 'dogs' }, { index: 2, label: 'shared' });
    write('features.jsonl', { index: 1, ...figures }, { index: 2, ...figures });
    const registry = await open();
    const key = registry.sources[0]?.key as number;
    const staged = stageLabels(store);
    const mine = { feature: 2, method: 'unknown', author: 'unknown', clarity: null, scores: [] };
    staged.add([
      { ...mine, text: 'mine' },
      { ...mine, text: 'shared' },
    ]);
    staged.commit(key, addArtifact(store, { kind: 'labels', origin: 'me', hash: 'h', bytes: 1 }));
    staged.close();
    write('labels.jsonl', { index: 1, label: 'cats' }, { index: 3, label: 'birds' });
    write('features.jsonl', { index: 1, ...figures, p999: 9 });
    expect((await get(1)).labels.map(({ text }) => text)).toEqual(['cats']);
    expect((await get(2)).labels.map(({ text }) => text)).toEqual(['shared', 'mine']);
    expect((await get(3)).label).toBe('birds');
    expect((await get(1)).statistics?.p999).toBe(9);
    expect((await get(2)).statistics).toBeNull();
  });

  it('do not undo a run that came later', async () => {
    write('features.jsonl', { index: 1, ...figures });
    const key = (await open()).sources[0]?.key as number;
    writeStatistics(store, { source: key, version: 'run', artifact: null }, [{ feature: 1, ...figures, p999: 8 }]);
    const registry = await open();
    expect(registry.get('tiny-model', 'mine', '1').statistics).toMatchObject({ p999: 8, version: 'run' });
    expect(registry.sources[0]?.statistics).toMatchObject({ version: 'run' });
    expect(registry.target('mine/1', 'p')).toMatchObject({ maxActivation: 8 });
  });

  it.each([
    ['labels.jsonl', { index: 1, label: 'cats' }, { index: 1, label: '' }],
    ['features.jsonl', { index: 1, ...figures }, { index: 1, ...figures, density: 2 }],
    [
      'features.jsonl',
      { index: 1, ...figures },
      { index: 2, ...figures, examples: [{ tokens: [], value: 1, values: [1] }] },
    ],
  ])('leave no trace where they are damaged: %s', async (name, good, bad) => {
    write(name, good, bad);
    await expect(open()).rejects.toMatchObject({ code: 'source_invalid', message: expect.stringMatching(/line 2/) });
    for (const table of ['labels', 'statistics', 'examples', 'jobs']) {
      expect(store.connection.prepare(`select count(*) from ${table}`).pluck().get(), table).toBe(0);
    }
    write(name, good);
    const feature = await get(1);
    expect(name === 'labels.jsonl' ? feature.label : feature.statistics?.p999).toBe(
      name === 'labels.jsonl' ? 'cats' : 1.5,
    );
  });

  it('come back with the source after it was removed', async () => {
    write('labels.jsonl', { index: 1, label: 'cats' });
    await open();
    expect(removeSource(store, 'tiny-model', 'mine')).toBe(true);
    expect((await get(1)).label).toBe('cats');
  });
});
