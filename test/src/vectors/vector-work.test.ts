import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/app.ts';
import {
  base64Of,
  startTinyService,
  type TinyService,
  tinyDirection,
  tinyModel,
  tinyWidth,
  writeTinySource,
} from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
const path = '/api/v1/vectors';
const [first, post] = ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post'];
const at = (hook_point: string, seed: number) => ({ hook_point, data: base64Of(tinyDirection(seed)) });
const feature = `${tinyModel}/tiny/1`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-vector-work-'));
  service = await startTinyService({ folder, flags: { source: [writeTinySource(folder, 2)] } });
  await service.send('POST', path, { name: 'a', directions: [at(post, 1), at(first, 2)] });
  await service.send('POST', path, { name: 'b', directions: [at(post, 3)] });
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function raw(url: string, init?: RequestInit) {
  const response = await createApp(service.services).request(url, init);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    bytes: new Uint8Array(await response.arrayBuffer()),
  };
}
const upload = (name: string, bytes: Uint8Array<ArrayBuffer>) =>
  raw(`${path}/import?name=${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: bytes,
  });
const detail = async (name: string) => (await service.send('GET', `${path}/${name}`)).json;

describe('a vector as a file', () => {
  it('goes out as safetensors and comes back as it was', async () => {
    const file = await raw(`${path}/a`, { headers: { Accept: 'application/vnd.safetensors' } });
    expect(file).toMatchObject({ status: 200, type: 'application/vnd.safetensors' });
    expect(JSON.parse(Buffer.from((await upload('a-again', file.bytes)).bytes).toString())).toMatchObject({
      ...{ name: 'a-again', version: 1, method: 'imported', hook_points: [post, first] },
    });
    expect((await detail('a-again')).directions).toEqual((await detail('a')).directions);
  });

  it('goes out as a control vector and comes back as it was', async () => {
    const file = await raw(`${path}/b:1`, { headers: { Accept: 'application/x-gguf' } });
    expect(file).toMatchObject({ status: 200, type: 'application/x-gguf' });
    expect((await upload('b-again', file.bytes)).status).toBe(200);
    expect(await detail('b-again')).toMatchObject({
      origin: 'POST /api/v1/vectors/import (control_vector)',
      directions: [at(post, 3)],
    });
    // what comes out of block 0 is no place of a control vector
    expect((await raw(`${path}/a`, { headers: { Accept: 'application/x-gguf' } })).status).toBe(422);
    expect((await raw(`${path}/a`, { headers: { Accept: 'image/png' } })).status).toBe(406);
  });

  it.each([
    ['no name', '', new Uint8Array(9), 400],
    ['a name that is a path', '../x', new Uint8Array(9), 400],
    ['what is no such file', 'x', new Uint8Array(9), 400],
  ])('is refused with %s', async (_what, name, bytes, status) => {
    expect((await upload(encodeURIComponent(name), bytes)).status).toBe(status);
  });
});

describe('a sum', () => {
  it('is saved with its recipe, of saved vectors, features and directions of the request', async () => {
    const { json, status } = await service.send('POST', `${path}/combine`, {
      name: 'sum',
      terms: [{ vector: 'a', scale: 2 }, { vector: at(post, 5), unit: true }, { feature }],
      orthogonal_to: [{ vector: 'b' }],
    });
    expect([status, json]).toMatchObject([
      200,
      { name: 'sum', version: 1, method: 'combined', hook_points: [post, first] },
    ]);
    const { origin, directions } = await detail('sum');
    const recipe = JSON.parse(String(origin).replace(/^POST \/api\/v1\/vectors\/combine /, ''));
    expect(recipe).toEqual({
      terms: [
        { vector: 'a:1', scale: 2 },
        { hook_point: post, sha256: expect.stringMatching(/^[0-9a-f]{64}$/), scale: 1, unit: true },
        { feature, source_hash: expect.any(String), scale: 1 },
      ],
      orthogonal_to: [{ vector: 'b:1' }],
    });
    const [there, untouched] = (directions as { data: string }[]).map(({ data }) => floats(data));
    expect(untouched).toEqual(tinyDirection(2).map((value) => 2 * value));
    const decoder = tinyDecoder(1);
    const five = tinyDirection(5);
    const sum = tinyDirection(1).map(
      (value, i) => 2 * value + (five[i] ?? 0) / Math.hypot(...five) + (decoder[i] ?? 0),
    );
    const b = tinyDirection(3);
    const along = dot(sum, b) / dot(b, b);
    sum.forEach((value, i) => {
      expect(there?.[i]).toBeCloseTo(value - along * (b[i] ?? 0), 4);
    });
  });

  it.each([
    ['an unknown vector', { terms: [{ vector: 'nobody' }] }, 404, 'terms[0].vector'],
    ['both of a term', { terms: [{ vector: 'a', feature }] }, 400, 'terms[0]'],
    ['nothing left', { terms: [{ vector: 'b' }], orthogonal_to: [{ vector: 'b:1' }] }, 422, 'terms'],
    ['a bad name', { name: '../x', terms: [{ vector: 'a' }] }, 400, 'name'],
    ['another width', { terms: [{ vector: { hook_point: post, data: 'AAAAAA==' } }] }, 422, 'terms[0].vector.data'],
  ])('is refused with %s', async (_what, body, status, param) => {
    expect(await service.send('POST', `${path}/combine`, { name: 'no', ...body })).toMatchObject({
      status,
      json: { param },
    });
  });
});

describe('similarity', () => {
  it('has cosines by hook point and the nearest features of either sign', async () => {
    const decoder = tinyDecoder(0);
    const opposite = { hook_point: post, data: base64Of(Float32Array.from(decoder, (value) => -value)) };
    const { json } = await service.send('POST', `${path}/similarity`, {
      vectors: [{ vector: 'a' }, { vector: opposite }, { feature: `${tinyModel}/tiny/0` }],
      nearest: 1,
    });
    const places = json.hook_points as {
      hook_point: string;
      vectors: { name: string; nearest: { id: string; cosine: number }[] }[];
      cosines: number[][];
    }[];
    expect(places.map(({ hook_point, vectors }) => [hook_point, vectors.map(({ name }) => name)])).toEqual([
      [post, ['a:1', 'inline 1', `${tinyModel}/tiny/0`]],
      [first, ['a:1']],
    ]);
    const [here] = places;
    expect(here?.cosines[1]?.[2]).toBeCloseTo(-1, 6);
    const a = tinyDirection(1);
    expect(here?.cosines[0]?.[2]).toBeCloseTo(dot(a, decoder) / Math.sqrt(dot(a, a) * dot(decoder, decoder)), 6);
    expect(here?.vectors[1]?.nearest).toMatchObject([{ id: `${tinyModel}/tiny/0`, cosine: expect.closeTo(-1, 5) }]);
  });
});

/** The decoder row of test/harness/tiny-service.ts `writeTinySource`. */
function tinyDecoder(index: number): Float32Array {
  return Float32Array.from({ length: tinyWidth }, (_, i) => Math.sin(2 + (index * tinyWidth + i) * 1.7));
}

function floats(data: string): Float32Array {
  const bytes = Buffer.from(data, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
