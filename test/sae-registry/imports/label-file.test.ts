import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { exportLabels, importLabels } from '../../../sae-registry/index.ts';
import {
  countLabels,
  findArtifact,
  type KnownSource,
  labelsOf,
  openStore,
  registerSource,
  type Store,
} from '../../../sae-registry/store/index.ts';
import { buildModules } from '../../harness/build-modules.ts';
import { sourceFacts } from '../store/source-facts.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-labels-'));
afterAll(() => rmSync(temporary, { recursive: true }));

let store: Store;
let source: KnownSource;
beforeEach(async () => {
  store = await openStore(null);
  source = registerSource(store, sourceFacts());
});

const options = { origin: '/labels.jsonl', defaults: { method: 'import', author: 'somebody' } };
async function* pieces(text: string | Buffer, size = 7) {
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const read = (text: string | Buffer, size?: number) => importLabels(store, source, pieces(text, size), options);
const exported = (from = store, its = source) => [...exportLabels(from, its)].join('');

describe('a label file', () => {
  it('is read whatever pieces it comes in, and written as it was', async () => {
    const file = [
      '{"index":0,"label":"\u00e9t\u00e9 \u732b","clarity":2.5,"method":"llm","author":"m"}',
      '{"index":3,"label":"cats","method":"human","author":"me"}',
      '{"index":3,"label":"felines","method":"llm","author":"m","scores":[{"method":"detection","author":"j","score":0.875,"judgements":40},{"method":"fuzzing","author":"j","score":0.5}]}',
      '',
    ].join('\n');
    expect(await read(file)).toEqual({ added: 3, updated: 0, unchanged: 0, bad: [], badLines: 0 });
    expect(exported()).toBe(file);
    const other = await openStore(null);
    const there = registerSource(other, sourceFacts());
    await importLabels(other, there, pieces(exported(), 64), options);
    expect(exported(other, there)).toBe(file);
    expect(await read(file)).toMatchObject({ added: 0, unchanged: 3 });
    const [label] = labelsOf(store, source.key, 0);
    expect(findArtifact(store, label?.artifact as number)).toMatchObject({
      kind: 'labels',
      origin: '/labels.jsonl',
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      bytes: Buffer.byteLength(file),
    });
  });

  it('says who made them where the lines do not', async () => {
    await read('{"index":1,"label":"cats"}');
    expect(labelsOf(store, source.key, 1)).toMatchObject([{ method: 'import', author: 'somebody', clarity: null }]);
  });

  it('loses its bad lines alone, each told with its number', async () => {
    const file = Buffer.concat([
      Buffer.from('{"index":1,"label":"cats"}\nnonsense\n\n{"index":24,"label":"x"}\n{"index":1,"label":""}\r\n'),
      Buffer.from([0x7b, 0xff, 0x0a]),
      Buffer.from(`{"index":1,"label":"${'x'.repeat(2 ** 20)}"}\n{"index":2,"label":"dogs"}\n{"index":2,`),
    ]);
    const { bad, ...counts } = await read(file, 4096);
    expect(counts).toEqual({ added: 2, updated: 0, unchanged: 0, badLines: 6 });
    expect(bad).toEqual([
      { line: 2, reason: 'is not JSON.' },
      { line: 4, reason: "has feature 24; the source's features are 0 to 23." },
      { line: 5, reason: expect.stringMatching(/malformed.*label/s) },
      { line: 6, reason: 'is not UTF-8.' },
      { line: 7, reason: 'is longer than 1048576 bytes.' },
      { line: 9, reason: 'is not JSON.' },
    ]);
  });

  it('counts bad lines beyond the first hundred', async () => {
    const { bad, badLines } = await read('no\n'.repeat(150));
    expect([bad.length, badLines]).toEqual([100, 150]);
  });

  it('is not written where it breaks off', async () => {
    async function* broken() {
      yield Buffer.from('{"index":1,"label":"cats"}\n'.repeat(2000));
      throw new Error('the connection was lost');
    }
    await expect(importLabels(store, source, broken(), options)).rejects.toThrow('lost');
    expect(countLabels(store, source.key)).toBe(0);
    expect(await read('{"index":1,"label":"cats"}')).toMatchObject({ added: 1 });
  });

  it('is read by two at once in one process, each for itself', async () => {
    const lines = (who: string) =>
      Array.from({ length: 1500 }, (_, i) => `{"index":${i % 24},"label":"${who} ${i}"}\n`).join('');
    const [one, two] = await Promise.all([read(lines('one'), 999), read(lines('two'), 777)]);
    expect([one?.added, two?.added]).toEqual([1500, 1500]);
    expect(countLabels(store, source.key)).toBe(3000);
  });

  it('is read on a thread of its own, all of it or nothing, while the event loop turns', async () => {
    const built = buildModules(
      'sae-registry/store/index.ts',
      'sae-registry/imports/label-file-thread.ts',
      'sae-registry/imports/label-file-worker.ts',
    );
    const path = join(temporary, 'thread', 'tiller.db');
    const shared = await openStore(path);
    const { key } = registerSource(shared, sourceFacts());
    writeFileSync(
      join(built, 'import.js'),
      `import { importLabelsOnThread } from './sae-registry/imports/label-file-thread.js';
       import { listSources, openStore } from './sae-registry/store/index.js';
       const store = await openStore(process.argv[2]);
       const [source] = listSources(store);
       const options = ${JSON.stringify(options)};
       const read = (...texts) => importLabelsOnThread(store, source, texts.map((text) => Buffer.from(text)), options);
       const text = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ index: i % 24, label: 'label ' + i })).join('\\n');
       // Turns of the event loop from when some lines are there, which are all, until the answer.
       let [turns, done] = [0, false];
       const count = () => {
         turns++;
         if (!done) setImmediate(count);
       };
       const reading = read(text, '\\n{"index": 24, "label": "x"}').finally(() => (done = true));
       setImmediate(count);
       const counts = await reading;
       const again = await Promise.all([read(text), read('{"index":1,"label":"last"}')]);
       const wrong = await importLabelsOnThread(store, { key: 99, features: 24 }, [Buffer.from(text)], options).catch((thrown) => thrown.code);
       console.log(JSON.stringify([counts, again, wrong, turns > 2000]));
       store.close();`,
    );
    try {
      const printed = execFileSync(process.execPath, [join(built, 'import.js'), path], { encoding: 'utf8' });
      const [counts, again, wrong, turned] = JSON.parse(printed);
      const reason = "has feature 24; the source's features are 0 to 23.";
      expect(counts).toEqual({ added: 20_000, updated: 0, unchanged: 0, bad: [{ line: 20_001, reason }], badLines: 1 });
      expect(again).toMatchObject([
        { added: 0, unchanged: 20_000 },
        { added: 1, unchanged: 0 },
      ]);
      expect([wrong, turned]).toEqual(['internal', true]);
      expect(countLabels(shared, key)).toBe(20_001);
    } finally {
      shared.close();
      rmSync(built, { recursive: true });
    }
  });

  it('is read by two processes at once without losing a line', async () => {
    const built = buildModules('sae-registry/store/index.ts', 'sae-registry/imports/label-file.ts');
    writeFileSync(
      join(built, 'import.js'),
      `import { createReadStream } from 'node:fs';
       import { importLabels } from './sae-registry/imports/label-file.js';
       import { listSources, openStore } from './sae-registry/store/index.js';
       const [path, file] = process.argv.slice(2);
       const store = await openStore(path);
       const options = { origin: file, defaults: { method: 'import', author: 'child' } };
       await importLabels(store, listSources(store)[0], createReadStream(file), options);
       store.close();`,
    );
    const path = join(temporary, 'shared', 'tiller.db');
    const shared = await openStore(path);
    const { key } = registerSource(shared, sourceFacts());
    const runs = ['a', 'b'].map((who) => {
      const file = join(temporary, `${who}.jsonl`);
      const own = Array.from({ length: 3000 }, (_, i) => `{"index":${i % 24},"label":"${who} ${i}"}\n`);
      writeFileSync(file, `${own.join('')}{"index":1,"label":"of both"}\n`);
      const child = spawn(process.execPath, [join(built, 'import.js'), path, file], { stdio: 'inherit' });
      return new Promise<number | null>((settle) => child.once('exit', settle));
    });
    expect(await Promise.all(runs)).toEqual([0, 0]);
    rmSync(built, { recursive: true });
    expect(countLabels(shared, key)).toBe(6001);
    shared.close();
  });
});
