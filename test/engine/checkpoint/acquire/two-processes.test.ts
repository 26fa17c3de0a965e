import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildModules } from '../../../harness/build-modules.ts';
import { type HubServer, sendFile, startHub } from './hub-server.ts';
import { contents, filesIn, hub, newFolder, smallCatalog } from './small-model.ts';

const file = join('models', 'small-model', 'small.gguf');

let built: string;
let folder: string;
let server: HubServer | null = null;

beforeAll(() => {
  built = buildModules('engine/checkpoint/acquire/index.ts');
  writeFileSync(
    join(built, 'pull.js'),
    `import { acquireModel } from './engine/checkpoint/acquire/index.js';
     const [options] = process.argv.slice(2);
     const seen = new Set();
     const onProgress = ({ label }) => { if (!seen.has(label)) console.log(label); seen.add(label); };
     const acquired = await acquireModel('small-model', { ...JSON.parse(options), onProgress });
     console.log('done ' + acquired.source);`,
  );
  folder = newFolder();
});

afterAll(async () => {
  await server?.close();
  for (const path of [built, folder]) rmSync(path, { recursive: true, force: true });
});

function pull(endpoint: string): {
  readonly child: ChildProcess;
  readonly output: Promise<string>;
  said(text: string): Promise<void>;
} {
  const options = {
    cacheDirectory: folder,
    catalog: smallCatalog([hub]),
    hub: { endpoint },
    timeouts: { poll: 20, answer: 60_000, staleLock: 5_000 },
  };
  const child = spawn(process.execPath, [join(built, 'pull.js'), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const add = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  const output = new Promise<string>((done) => child.once('close', () => done(text)));
  const said = (wanted: string) =>
    new Promise<void>((done, fail) => {
      const check = () => (text.includes(wanted) ? done() : undefined);
      child.stdout?.on('data', check);
      child.once('close', () => (text.includes(wanted) ? done() : fail(new Error(text))));
      check();
    });
  return { child, output, said };
}

it('two processes at once: one fetches, the other waits and finds it; a killed one blocks nobody for long', async () => {
  let release: (() => void) | null = null;
  let asked: () => void = () => undefined;
  server = await startHub((request, response, number) => {
    // The first answer never comes (its process is killed), the second one comes when the test says so.
    if (number === 1) release = () => sendFile(request, response, contents);
    asked();
  });
  const nextRequest = () =>
    new Promise<void>((done) => {
      asked = done;
    });
  let request = nextRequest();
  const killed = pull(server.endpoint);
  await request;
  request = nextRequest();
  killed.child.kill('SIGKILL');
  await killed.output;
  expect(filesIn(folder)).toEqual([]);

  const first = pull(server.endpoint);
  await first.said('Waiting for another process');
  await request;
  const second = pull(server.endpoint);
  await second.said('Waiting for another process');
  (release as (() => void) | null)?.();
  expect((await first.output).trim().split('\n').at(-1)).toBe('done hub');
  expect((await second.output).trim().split('\n').at(-1)).toBe('done cache');
  expect(server.requests).toHaveLength(2);
  expect(readFileSync(join(folder, file)).equals(contents)).toBe(true);
  expect(filesIn(folder)).toEqual([file, `${file}.verified.json`]);
});
