import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../../sae-registry/index.ts';
import { refuseUnknownProfile } from '../../../src/profiles/start-profile.ts';
import { base64Of, startTinyService, type TinyService, tinyDirection, tinyModel } from '../../harness/tiny-service.ts';

let folder: string;
let store: Store;
let service: TinyService;
const path = '/api/v1/profiles/default';
const edit = (seed: number) => ({
  vector: { hook_point: 'blocks.1.hook_resid_mid', data: base64Of(tinyDirection(seed)) },
  mode: 'add',
  strength: 4,
  unit: 'raw',
});
const save = (name: string, seed: number) =>
  service.send('POST', '/api/v1/profiles', { name, steering: { edits: [edit(seed)] } });
const put = (change: object) => service.send('PUT', path, change);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-default-'));
  store = await openStore(null);
  service = await startTinyService({ folder, store });
  await save('calm', 1);
  await save('calm', 2);
  await save('wild', 3);
});

afterAll(async () => {
  await service.close();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the default profile', () => {
  it('steers whoever names none, and every such answer says so', async () => {
    const plain = await service.complete();
    expect(plain.steering).toBeUndefined();
    expect((await service.send('GET', path)).json).toEqual({ model: tinyModel, profile: null, on: false });
    expect((await put({ profile: 'calm' })).json).toEqual({ model: tinyModel, profile: 'calm:2', on: true });
    const named = await service.complete({ steering: { profile: 'calm:2' } });
    expect(named.steering?.profile).toMatchObject({ default: false });
    for (const fields of [{}, { steering: null }, { steering: {} }, { model: tinyModel }]) {
      const answer = await service.complete(fields);
      expect(answer.json.choices).toEqual(named.json.choices);
      expect(answer.steering).toMatchObject({
        profile: { name: 'calm', version: 2, default: true },
        edits: [{ from_profile: true, tokens: expect.any(Number) }],
      });
    }
    const chat = await service.send('POST', '/v1/chat/completions', {
      messages: [{ role: 'user', content: 'hello' }],
      max_tokens: 2,
      stream: true,
    });
    expect(chat.text).toMatch(/"steering":.*"default":true/);
  });

  it('holds beside a request’s own edits, gives way to a profile, and is left out where the request says null', async () => {
    await put({ profile: null });
    const plain = await service.complete();
    const wild = await service.complete({ steering: { profile: 'wild' } });
    const two = await service.complete({ steering: { profile: 'calm', edits: [edit(5)] } });
    await put({ profile: 'calm' });
    expect((await service.complete({ steering: { edits: [edit(5)] } })).json.choices).toEqual(two.json.choices);
    const chosen = await service.complete({ model: `${tinyModel}@wild` });
    expect(chosen.json.choices).toEqual(wild.json.choices);
    expect(chosen.steering?.profile).toMatchObject({ name: 'wild', default: false });
    const out = await service.complete({ steering: { profile: null } });
    expect(out.json.choices).toEqual(plain.json.choices);
    expect(out.steering).toMatchObject({ edits: [] });
    expect(out.steering?.profile).toBeUndefined();
    const both = await service.complete({ model: `${tinyModel}@wild`, steering: { profile: null } });
    expect(both).toMatchObject({ status: 400, json: { error: { param: 'steering.profile' } } });
  });

  it('is switched off and on at run time', async () => {
    await put({ profile: 'calm:1' });
    expect((await put({ on: false })).json).toEqual({ model: tinyModel, profile: 'calm:1', on: false });
    expect((await service.complete()).steering).toBeUndefined();
    expect((await put({ on: true })).json).toEqual({ model: tinyModel, profile: 'calm:1', on: true });
    expect((await service.complete()).steering?.profile).toMatchObject({ name: 'calm', version: 1 });
    expect((await put({ profile: 'wild', on: false })).json).toEqual({
      model: tinyModel,
      profile: 'wild:1',
      on: false,
    });
    expect((await put({ profile: null })).json).toEqual({ model: tinyModel, profile: null, on: false });
    expect(await put({ on: true })).toMatchObject({ status: 400, json: { param: 'on' } });
    expect(await put({ profile: 'calmer' })).toMatchObject({ status: 404, json: { code: 'profile_not_found' } });
    expect(await put({ profil: 'calm' })).toMatchObject({ status: 400, json: { code: 'unknown_field' } });
    expect(await put({ model: 'other', profile: 'calm' })).toMatchObject({ status: 404, json: { param: 'model' } });
  });

  it('is not deleted while it is that, switched off or not', async () => {
    await put({ profile: 'calm:1', on: false });
    const refused = await service.send('DELETE', '/api/v1/profiles/calm:1');
    expect(refused).toMatchObject({
      status: 409,
      json: { code: 'in_use', detail: expect.stringContaining('default') },
    });
    await put({ profile: null });
    expect((await service.send('DELETE', '/api/v1/profiles/calm:1')).status).toBe(200);
  });

  it('is counted by metrics apart from profiles that requests choose', async () => {
    const sample = (by: string) => `tiller_profile_edits_total{model_name="${tinyModel}",chosen_by="${by}"}`;
    const before = {
      request: await service.metric(sample('request')),
      default: await service.metric(sample('default')),
    };
    await put({ profile: 'wild' });
    await service.complete({ steering: { edits: [edit(5)] } });
    await service.complete({ n: 2, temperature: 1 });
    await service.complete({ model: `${tinyModel}@wild` });
    await put({ profile: null });
    expect(await service.metric(sample('default'))).toBe(before.default + 3);
    expect(await service.metric(sample('request'))).toBe(before.request + 1);
  });
});

describe('tiller serve --profile', () => {
  it('sets it for the first model, in the version that is the newest then', async () => {
    const started = await startTinyService({ folder, store, profile: 'calm' });
    expect((await started.send('GET', path)).json).toEqual({ model: tinyModel, profile: 'calm:2', on: true });
    expect((await started.complete()).steering?.profile).toMatchObject({ name: 'calm', version: 2, default: true });
    await started.close();
  });

  it('fails at the start where there is none, before a model is loaded and after', async () => {
    const missing = startTinyService({ folder, store, profile: 'calm:9' });
    await expect(missing).rejects.toMatchObject({ code: 'profile_not_found' });
    const other = await openStore(null);
    expect(() => refuseUnknownProfile(other, 'calm')).toThrow(/no profile 'calm': none is saved/);
    expect(other.connection.open).toBe(false);
    refuseUnknownProfile(store, 'calm:2');
    const copy = { ...store, close: () => undefined };
    expect(() => refuseUnknownProfile(copy, 'calm:9')).toThrow(expect.objectContaining({ suggestions: ['calm'] }));
  });
});
