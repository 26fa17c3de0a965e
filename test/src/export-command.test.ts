import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../engine/checkpoint/gguf-header.ts';
import { LocalFile } from '../../engine/checkpoint/local-file.ts';
import { addVector, loadDictionary, openRegistry, openStore, writeStatistics } from '../../sae-registry/index.ts';
import { cli } from './cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-export-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = ['--data-dir', folder];
const mine = join(folder, 'mine');

beforeAll(async () => {
  cpSync(join(import.meta.dirname, '../fixtures/tiny-sae/jumprelu-v6'), mine, { recursive: true });
  const store = await openStore(join(folder, 'tiller.db'));
  const model = { id: 'tiny-model', dModel: 16, blocks: 4, hash: 'abc' };
  const registry = await openRegistry({ model, sources: [mine], store });
  const [{ key }] = registry.sources as unknown as [{ key: number }];
  const figures = { density: 0.5, max: 4, p999: 3, mean: 1, histogram: [1] };
  writeStatistics(store, { source: key, version: 'v', artifact: null }, [{ feature: 3, ...figures }]);
  const directions = [{ hookPoint: 'blocks.2.hook_resid_post', values: Float32Array.from({ length: 16 }, () => 0.5) }];
  addVector(store, {
    ...{ model: 'tiny-model', name: 'calm', description: '', method: 'uploaded', origin: 'test' },
    directions,
  });
  store.close();
});

async function tensors(path: string): Promise<Record<string, number[]>> {
  const file = await LocalFile.open(path);
  const { entries } = await readGgufHeader(file);
  const values: Record<string, number[]> = {};
  for (const { name, offset, byteLength } of entries) {
    const bytes = Buffer.alloc(byteLength);
    await file.read(offset, bytes);
    values[name] = Array.from({ length: byteLength / 4 }, (_, i) => bytes.readFloatLE(i * 4));
  }
  await file.close();
  return values;
}

describe('tiller export', () => {
  it('writes features in their units and saved vectors as one control vector', async () => {
    const out = join(folder, 'vector.gguf');
    const what = ['--feature', 'tiny-model/mine/3=2', '--vector', 'tiny-model/calm=-1'];
    const run = await cli(['export', 'control-vector', ...what, '--out', out, ...data]);
    expect(run).toEqual({ code: 0, stdout: `${out}\n`, stderr: '' });
    const { decoder } = (await loadDictionary(mine)).feature(3);
    const written = await tensors(out);
    expect(Object.keys(written)).toEqual(['direction.1', 'direction.2']);
    for (const [i, value] of decoder.entries()) expect(written['direction.1']?.[i]).toBeCloseTo(value * 2 * 3, 5);
    expect(written['direction.2']).toEqual(new Array(16).fill(-0.5));
    const raw = ['--feature', 'tiny-model/mine/4', '--unit', 'raw'];
    expect((await cli(['export', 'control-vector', ...raw, '--out', out, ...data])).code).toBe(0);
  });

  it('writes a dictionary as SAELens has it', async () => {
    const out = join(folder, 'saelens');
    const run = await cli(['export', 'saelens', 'tiny-model/mine', '--out', out, ...data]);
    expect(run).toEqual({ code: 0, stdout: `${out}\n`, stderr: '' });
    const [one, other] = await Promise.all([loadDictionary(mine), loadDictionary(out)]);
    const stream = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i) * 3);
    const features = one.encode(stream);
    expect(other.encode(stream)).toEqual(features);
    expect(other.decode(features, stream)).toEqual(one.decode(features, stream));
    const again = await cli(['export', 'saelens', 'tiny-model/mine', '--out', out, ...data]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/is there already/)]);
  });

  const vector = ['control-vector', '--out', join(folder, 'x.gguf'), ...data];
  it.each([
    [['control-vector', ...data, '--feature', 'a/b/1'], 2, /--out/],
    [vector, 2, /--feature or --vector/],
    [[...vector, '--feature', 'tiny-model/mine/4'], 1, /no statistics.*--unit raw/],
    [[...vector, '--feature', 'tiny-model/mine/99'], 1, /features are 0 to 31/],
    [[...vector, '--feature', 'tiny-model/nime/3'], 1, /no source 'tiny-model\/nime'/],
    [[...vector, '--feature', '3'], 1, /model\/source\/index/],
    [[...vector, '--feature', 'tiny-model/mine/3=x'], 1, /=strength/],
    [[...vector, '--vector', 'tiny-model/clam'], 1, /calm/],
    [['saelens', 'tiny-model/none', '--out', join(folder, 'y'), ...data], 1, /no source/],
  ])('refuses %j', async (flags, code, message) => {
    const run = await cli(['export', ...flags]);
    expect([run.code, run.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
