import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { base64Of, startTinyService, type TinyService, tinyDirection, tinyModel } from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
const path = '/api/v1/vectors';
const [mid, post] = ['blocks.0.hook_resid_mid', 'blocks.1.hook_resid_post'];
const at = (hook_point: string, seed: number) => ({ hook_point, data: base64Of(tinyDirection(seed)) });
const save = (name: string, directions: readonly object[]) => service.send('POST', path, { name, directions });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-vectors-'));
  service = await startTinyService({ folder });
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a saved vector', () => {
  it('steers at each of its hook points as the same directions in the request do, newest version or pinned', async () => {
    expect((await save('pirate', [at(post, 1), at('blocks.1.hook_resid_pre', 2)])).json).toMatchObject({
      model: tinyModel,
      name: 'pirate',
      version: 1,
      method: 'uploaded',
      // in canonical spelling, in the order given
      hook_points: [post, 'blocks.0.hook_resid_post'],
    });
    await save('pirate', [at(mid, 3)]);
    const how = { mode: 'add', strength: 3, unit: 'raw' };
    const inline = (...directions: object[]) =>
      service.complete({ logprobs: 2, steering: { edits: directions.map((vector) => ({ vector, ...how })) } });
    const named = (vector: string) => service.complete({ logprobs: 2, steering: { edits: [{ vector, ...how }] } });
    const [both, first] = [await named('pirate:1'), await inline(at(post, 1), at('blocks.0.hook_resid_post', 2))];
    expect(both.json.choices).toEqual(first.json.choices);
    expect(both.steering?.edits).toMatchObject([
      { target: 'pirate:1', hook_point: post },
      { target: 'pirate:1', hook_point: 'blocks.0.hook_resid_post' },
    ]);
    const newest = await named('pirate');
    expect(newest.json.choices).toEqual((await inline(at(mid, 3))).json.choices);
    expect(newest.steering?.edits).toMatchObject([{ target: 'pirate:2' }]);
  });

  it('comes back as it was sent, as base64 or as numbers', async () => {
    await save('kept', [at(mid, 4), { hook_point: post, data: Array.from(tinyDirection(5)) }]);
    const { json } = await service.send('GET', `${path}/kept`);
    expect(json).toMatchObject({ name: 'kept', directions: [at(mid, 4), at(post, 5)] });
    expect((await service.send('GET', `${path}/kept:2`)).json).toMatchObject({
      code: 'vector_not_found',
      param: 'name',
    });
    const listed = (await service.send('GET', `${path}?model=${tinyModel}`)).json.vectors as { name: string }[];
    expect(listed.filter(({ name }) => name === 'kept')).toMatchObject([{ version: 1, hook_points: [mid, post] }]);
  });

  it('is deleted by version or whole, not while a profile was made with it', async () => {
    await save('gone', [at(mid, 6)]);
    await save('gone', [at(mid, 7)]);
    const steering = { edits: [{ vector: 'gone:1', mode: 'add', strength: 1, unit: 'raw' }] };
    await service.send('POST', '/api/v1/profiles', { name: 'user', steering });
    await service.send('POST', '/api/v1/profiles', { name: 'heir', steering: { profile: 'user' } });
    await service.send('DELETE', '/api/v1/profiles/user');
    const refused = {
      status: 409,
      json: { code: 'in_use', param: 'name', detail: expect.stringContaining("'heir:1'") },
    };
    expect(await service.send('DELETE', `${path}/gone`)).toMatchObject(refused);
    expect((await service.send('DELETE', `${path}/gone:2`)).json).toEqual({
      model: tinyModel,
      name: 'gone',
      deleted: [2],
    });
    await service.send('DELETE', '/api/v1/profiles/heir');
    expect((await service.send('DELETE', `${path}/gone`)).json).toMatchObject({ deleted: [1] });
    expect((await save('gone', [at(mid, 6)])).json).toMatchObject({ version: 3 });
    expect(await service.complete({ steering })).toMatchObject({
      status: 404,
      json: { error: { code: 'vector_not_found', param: 'steering.edits[0].vector', suggestions: ['gone:3', 'gone'] } },
    });
  });

  it.each([
    ['a name that is a path', '../x', () => [at(mid, 1)], 400, { code: 'invalid_request', param: 'name' }],
    ['no direction', 'x', () => [], 400, { code: 'invalid_request', param: 'directions' }],
    [
      'an unknown hook point',
      'x',
      () => [at('blocks.9.hook_resid_mid', 1)],
      404,
      { param: 'directions[0].hook_point' },
    ],
    ['a place of no edits', 'x', () => [at('blocks.0.ln1.hook_scale', 1)], 422, { param: 'directions[0].hook_point' }],
    [
      'another width',
      'x',
      () => [{ hook_point: mid, data: [1, 2] }],
      422,
      { code: 'edit_not_applicable', param: 'directions[0].data' },
    ],
    ['a number beyond float32', 'x', () => [{ hook_point: mid, data: [1e300] }], 422, { param: 'directions[0].data' }],
    ['what is no base64', 'x', () => [{ hook_point: mid, data: 'a' }], 400, { param: 'directions[0].data' }],
    ['one place twice', 'x', () => [at(mid, 1), at(mid, 2)], 400, { param: 'directions[1]' }],
    ['an unknown field', 'x', () => [{ ...at(mid, 1), scale: 2 }], 400, { code: 'unknown_field' }],
  ])('is refused with %s', async (_what, name, directions, status, problem) => {
    expect(await save(name, directions())).toMatchObject({ status, json: problem });
  });
});
