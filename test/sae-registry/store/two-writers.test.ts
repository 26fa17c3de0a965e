import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../../sae-registry/store/open-store.ts';
import { listProfiles } from '../../../sae-registry/store/profiles.ts';
import { listVectors } from '../../../sae-registry/store/vectors.ts';

const root = resolve(import.meta.dirname, '../../..');
const each = 25;
let built: string;
let folder: string;

beforeAll(() => {
  // Node 20 runs no TypeScript: the code under test is built, inside the checkout so that it finds its packages.
  mkdirSync(join(root, '.cache'), { recursive: true });
  built = mkdtempSync(join(root, '.cache', 'store-test-'));
  folder = mkdtempSync(join(tmpdir(), 'tiller-writers-'));
  const store = join(root, 'sae-registry/store');
  const configuration = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noEmit: false, rootDir: root, outDir: built, typeRoots: [join(root, 'node_modules/@types')] },
    include: [],
    files: [join(store, 'vectors.ts'), join(store, 'profiles.ts')],
  };
  writeFileSync(join(built, 'tsconfig.json'), JSON.stringify(configuration));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(built, 'tsconfig.json')]);
  cpSync(join(store, 'migrations'), join(built, 'sae-registry/store/migrations'), { recursive: true });
  writeFileSync(
    join(built, 'write.js'),
    `import { openStore } from './sae-registry/store/open-store.js';
     import { addProfile } from './sae-registry/store/profiles.js';
     import { addVector } from './sae-registry/store/vectors.js';
     const [path, writer] = process.argv.slice(2);
     const store = await openStore(path);
     const fingerprint = { model: 'toy', model_hash: 'h', sources: {}, statistics: {}, hash: 'x' };
     for (let i = 0; i < ${each}; i++) {
       const description = writer + ' ' + i;
       const named = { model: 'toy', name: 'pirate', description };
       const directions = [{ hookPoint: 'blocks.0.hook_resid_post', values: Float32Array.of(i) }];
       const vector = addVector(store, { ...named, method: 'uploaded', origin: 'test', directions });
       const frozen = { edits: [], rules: [], directions: [] };
       const vectors = [vector.id];
       const profile = addProfile(store, { ...named, steering: {}, frozen, fingerprint, vectors, file: null });
       console.log(vector.version + ' ' + profile.version + ' ' + description);
     }
     store.close();`,
  );
  // a compiler runs in it
}, 120_000);

afterAll(() => {
  for (const path of [built, folder]) rmSync(path, { recursive: true, force: true });
});

function write(path: string, writer: string): Promise<string[]> {
  const child = spawn(process.execPath, [join(built, 'write.js'), path, writer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((done) => child.once('close', () => done(text.trim().split('\n'))));
}

it('two processes that save under one name give every version its own number, and lose none', async () => {
  const path = join(folder, 'store.sqlite');
  (await openStore(path)).close();
  const said = (await Promise.all([write(path, 'one'), write(path, 'two')])).flat();
  const numbers = Array.from({ length: 2 * each }, (_, at) => at + 1);
  const ascending = (versions: number[]) => versions.toSorted((a, b) => a - b);
  for (const field of [0, 1]) expect(ascending(said.map((line) => Number(line.split(' ')[field])))).toEqual(numbers);
  const store = await openStore(path);
  const saved = new Set(said.map((line) => line.split(' ').slice(1).join(' ')));
  expect(new Set(listProfiles(store, 'toy').map(({ version, description }) => `${version} ${description}`))).toEqual(
    saved,
  );
  expect(ascending(listVectors(store, 'toy').map(({ version }) => version))).toEqual(numbers);
  store.close();
}, 120_000);
