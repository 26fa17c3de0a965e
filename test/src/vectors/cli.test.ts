import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addVector, openStore, readVectorFile } from '../../../sae-registry/index.ts';
import { tinyDirection, tinyModel, writeTinySource } from '../../harness/tiny-service.ts';
import { cli } from '../cli-harness.ts';

let folder: string;
const model = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const data = () => ['--data-dir', join(folder, 'data')];
// nothing is compiled for this
const environment = { HOME: '/nowhere', TILLER_OPERATORS: 'onnxruntime' };
const stored = (...words: string[]) => cli(['vectors', ...words, ...data()]);
const overModel = (...words: string[]) =>
  cli(['vectors', ...words, '--model', model, '--cache-dir', folder, '--threads', '1', ...data()], { environment });
const post = 'blocks.1.hook_resid_post';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-vectors-cli-'));
  const store = await openStore(join(folder, 'data', 'tiller.db'));
  const directions = [{ hookPoint: post, values: tinyDirection(1) }];
  addVector(store, {
    model: tinyModel,
    name: 'a',
    description: 'first',
    method: 'uploaded',
    origin: 'test',
    directions,
  });
  store.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tiller vectors', () => {
  it('lists and shows', async () => {
    expect((await stored('list')).stdout).toMatch(/tiny-llama@a:1 +uploaded +\S+ +blocks\.1\.hook_resid_post +first/);
    expect(JSON.parse((await stored('list', '--json')).stdout)).toMatchObject([{ name: 'a', hook_points: [post] }]);
    expect((await stored('show', 'a')).stdout).toMatch(
      /test\n\nhook point +width +length\nblocks\.1\.hook_resid_post +64 /,
    );
    expect(await stored('show', 'b')).toMatchObject({ code: 1, stderr: expect.stringContaining('no vector') });
  });

  it('exports and imports, as control vector and as safetensors', async () => {
    for (const file of ['a.gguf', 'a.safetensors']) {
      const out = join(folder, file);
      expect(await stored('export', 'a:1', '--out', out)).toMatchObject({ code: 0, stdout: `${out}\n` });
      expect((await readVectorFile(out)).directions).toEqual([{ hookPoint: post, values: tinyDirection(1) }]);
    }
    const imported = await overModel('import', join(folder, 'a.gguf'), '--name', 'b');
    expect(imported).toMatchObject({ code: 0, stdout: `${tinyModel}@b:1\n` });
    expect(readFileSync(join(folder, 'a.gguf')).subarray(0, 4).toString()).toBe('GGUF');
    expect(await overModel('import', model, '--name', 'b')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining("not 'controlvector'") },
    });
    expect(await overModel('import', join(folder, 'a.gguf'))).toMatchObject({ code: 2 });
  });

  it('combines', async () => {
    const made = await overModel('combine', '--name', 'sum', '--term', 'a=2', '--term', 'a:1=-0.5');
    expect(made).toMatchObject({ code: 0, stdout: `${tinyModel}@sum:1\n` });
    expect((await stored('show', 'sum')).stdout).toContain('"vector":"a:1","scale":-0.5');
    expect(await overModel('combine', '--name', 'sum', '--term', 'a=x')).toMatchObject({ code: 2 });
    expect(await overModel('combine', '--name', 'none')).toMatchObject({ code: 2 });
    const nothing = await overModel('combine', '--name', 'none', '--term', 'a', '--orthogonal-to', 'a');
    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing is left') });
  });

  it('compares, hook point by hook point', async () => {
    const about = { model: tinyModel, name: 'c', description: '', method: 'uploaded', origin: 'test' } as const;
    const store = await openStore(join(folder, 'data', 'tiller.db'));
    const negated = tinyDirection(1).map((value) => -2 * value);
    const directions = [
      { hookPoint: 'blocks.0.hook_resid_post', values: tinyDirection(2) },
      { hookPoint: post, values: negated },
    ];
    addVector(store, { ...about, directions });
    store.close();
    const source = ['--source', writeTinySource(folder, 2)];
    const { code, stdout } = await overModel('similarity', 'a', 'c:1', 'tiny/1', '--nearest', '2', ...source);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^blocks\.0\.hook_resid_post +length +c:1\nc:1 +\S+ +1\.0000$/m);
    expect(stdout).toMatch(/^blocks\.1\.hook_resid_post +length +a:1 +c:1.*\na:1 +\S+ +1\.0000 +-1\.0000/m);
    expect(stdout.match(/^nearest to c:1 +cosine +label\n\S+\/tiny\/\d+ +-?0\.\d{4}\n\S+\/tiny\/\d+ /gm)).toHaveLength(
      2,
    );
    const { hook_points } = JSON.parse((await overModel('similarity', 'a', 'c', '--json')).stdout) as {
      readonly hook_points: readonly { readonly vectors: readonly object[] }[];
    };
    expect(hook_points.map(({ vectors }) => vectors.length).sort()).toEqual([1, 2]);
    expect(hook_points[0]?.vectors[0]).not.toHaveProperty('nearest');
    expect(await overModel('similarity', 'a', 'nobody')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('nobody') },
    });
    expect(await overModel('similarity')).toMatchObject({ code: 2 });
  });

  it('deletes', async () => {
    expect(await stored('delete', 'a:1')).toMatchObject({ code: 0, stderr: 'Deleted version 1.\n' });
    expect(await stored('delete', 'a:1')).toMatchObject({ code: 1 });
  });
});
