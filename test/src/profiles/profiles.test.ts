import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../../sae-registry/index.ts';
import {
  base64Of,
  startTinyService,
  type TinyService,
  tinyDirection,
  tinyModel,
  writeTinySource,
} from '../../harness/tiny-service.ts';

let folder: string;
let store: Store;
let service: TinyService;
const closers: (() => Promise<void>)[] = [];

async function start(options: Omit<Parameters<typeof startTinyService>[0], 'folder'> = {}): Promise<TinyService> {
  const started = await startTinyService({ folder, store, ...options });
  closers.push(started.close);
  return started;
}

const direction = (seed: number, hook_point = 'blocks.1.hook_resid_mid') => ({
  hook_point,
  data: base64Of(tinyDirection(seed)),
});
const inline = (seed: number, fields: object = {}) => ({
  vector: direction(seed),
  mode: 'add',
  strength: 1,
  ...fields,
});
const feature = { feature: `${tinyModel}/tiny/1`, mode: 'set', value: 3, positions: 'all' };
const steering = { edits: [feature, inline(1, { strength: 2 }), inline(2, { mode: 'ablate', strength: undefined })] };

async function save(name: string, asked: object = steering, at = service) {
  const { status, json } = await at.send('POST', '/api/v1/profiles', { name, description: 'arr', steering: asked });
  expect({ status, json }).toMatchObject({ status: 200, json: { name, description: 'arr', model: tinyModel } });
  return json as { version: number; fingerprint: { hash: string; sources: object; statistics: object } };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-profiles-'));
  store = await openStore(null);
  service = await start({ streamNorm: 10, flags: { source: [writeTinySource(folder, 4)] } });
});

afterAll(async () => {
  for (const close of closers) await close();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a saved profile', () => {
  it('steers bit for bit as the same edits in the request do, by whatever way it is named', async () => {
    await save('same');
    const asked = { logprobs: 3, seed: 1, temperature: 0.8 };
    const plain = await service.complete(asked);
    const given = await service.complete({ ...asked, steering });
    expect(given.text).not.toBe(plain.text);
    for (const fields of [
      { steering: { profile: 'same' } },
      { model: `${tinyModel}@same` },
      { model: `${tinyModel}@same:1`, steering: { profile: 'same:1' } },
    ]) {
      const saved = await service.complete({ ...asked, ...fields });
      expect(saved.json.choices).toEqual(given.json.choices);
      const own = (saved.steering?.edits ?? []).map(({ from_profile, ...edit }) => ({ ...edit, from: from_profile }));
      expect(own).toEqual(given.steering?.edits.map((edit) => ({ ...edit, from: true })));
    }
  });

  it('is told in the answer, with what it was frozen with', async () => {
    const { fingerprint } = await save('told');
    expect(fingerprint).toMatchObject({
      model: tinyModel,
      sources: { [`${tinyModel}/tiny`]: expect.stringMatching(/^[0-9a-f]{64}$/) },
      statistics: { [`${tinyModel}/tiny`]: expect.stringMatching(/^4/), 'blocks.1.hook_resid_mid': '10' },
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { steering: block } = await service.complete({ steering: { profile: 'told' } });
    expect(block?.profile).toEqual({ name: 'told', version: 1, default: false, fingerprint });
    expect(block?.fingerprint).toMatchObject({ sources: {}, statistics: {} });
  });

  it('stays what it was when statistics, vectors and dictionaries change', async () => {
    const vector = { name: 'changing', directions: [direction(3)] };
    await service.send('POST', '/api/v1/vectors', vector);
    const asked = { edits: [...steering.edits, { vector: 'changing', mode: 'add', strength: 1 }] };
    await save('frozen', asked);
    const before = await service.complete({ steering: { profile: 'frozen' }, logprobs: 1 });
    const asInline = await service.complete({ steering: asked, logprobs: 1 });
    expect(before.json.choices).toEqual(asInline.json.choices);

    const changed = await start({ streamNorm: 25, flags: { source: [writeTinySource(folder, 9)] } });
    await changed.send('POST', '/api/v1/vectors', { ...vector, directions: [direction(4)] });
    const after = await changed.complete({ steering: { profile: 'frozen' }, logprobs: 1 });
    expect(after.json.choices).toEqual(before.json.choices);
    const block = (answer: typeof before) => ({ ...answer.steering, fingerprint: null });
    expect(block(after)).toEqual(block(before));
    // what is looked up now is another steering
    expect((await changed.complete({ steering: asked, logprobs: 1 })).json.choices).not.toEqual(before.json.choices);
    const again = await save('frozen', asked, changed);
    expect(again.version).toBe(2);
    const bare = await start({ flags: { source: [] } });
    const older = await bare.complete({ steering: { profile: 'frozen:1' }, logprobs: 1 });
    expect(older.json.choices).toEqual(before.json.choices);
    expect((await bare.complete({ model: `${tinyModel}@frozen` })).steering?.profile?.version).toBe(2);
  });

  it('takes edits of the request beside its own; one of the same target replaces its own', async () => {
    await save('base');
    const own = { ...feature, mode: 'add', value: undefined, strength: 0.5 };
    const both = await service.complete({ steering: { profile: 'base', edits: [own, inline(7)] }, logprobs: 1 });
    const [, second, third] = steering.edits;
    const given = await service.complete({ steering: { edits: [second, third, own, inline(7)] }, logprobs: 1 });
    expect(both.json.choices).toEqual(given.json.choices);
    expect(both.steering?.edits.map(({ mode, from_profile }) => [mode, from_profile ?? false])).toEqual([
      ['add', true],
      ['ablate', true],
      ['add', false],
      ['add', false],
    ]);
    const opposite = { hook_point: 'blocks.1.hook_resid_mid', data: base64Of(tinyDirection(1).map((x) => -2 * x)) };
    const parallel = await service.complete({
      steering: { profile: 'base', edits: [{ vector: opposite, mode: 'add', strength: 1 }] },
    });
    expect(parallel.steering?.edits).toHaveLength(3);
  });

  it('of which a request’s edit is in conflict refuses it and names both', async () => {
    await save('ablating', { edits: [inline(2, { mode: 'ablate', strength: undefined })] });
    const edits = [inline(5, { mode: 'ablate', strength: undefined, positions: 'generated' })];
    const refused = await service.complete({ steering: { profile: 'ablating', edits } });
    expect(refused).toMatchObject({
      status: 422,
      json: { error: { code: 'edits_conflict', message: expect.stringContaining('steering.profile.edits[0]') } },
    });
    const range = { edits: [inline(1, { positions: { from: 2, to: 9 } })] };
    await save('ranged', range);
    expect(await service.complete({ model: `${tinyModel}@ranged` })).toMatchObject({
      status: 422,
      json: { error: { code: 'edit_not_applicable', param: 'steering.profile.edits[0].positions' } },
    });
  });

  it('can be the base of another', async () => {
    await save('lower');
    await save('upper', { profile: 'lower', edits: [inline(6)] });
    const upper = await service.complete({ steering: { profile: 'upper' }, logprobs: 1 });
    const given = await service.complete({ steering: { edits: [...steering.edits, inline(6)] }, logprobs: 1 });
    expect(upper.json.choices).toEqual(given.json.choices);
    expect((await service.send('GET', '/api/v1/profiles/upper')).json).toMatchObject({
      steering: { profile: 'lower' },
      edits: [{ number: 12 }, { number: expect.any(Number) }, { number: null }, { target: 'inline' }],
      fingerprint: { sources: { [`${tinyModel}/tiny`]: expect.anything() } },
    });
  });

  it('warns of an edit of its that did nothing by its own place', async () => {
    await save('idle', { edits: [{ ...inline(1), positions: 'prompt' }] });
    const { json } = await service.complete({ prompt: [5], steering: { profile: 'idle', edits: [inline(3)] } });
    expect(json.warnings).toMatchObject([{ param: 'steering.profile.edits[0]' }]);
  });
});

describe('a profile’s name', () => {
  it('is refused where it is none, or a word of the API', async () => {
    for (const name of ['../etc', 'a/b', '.x', 'default', 'import', 'a:1', 'x'.repeat(65)]) {
      const { status, json } = await service.send('POST', '/api/v1/profiles', { name, steering });
      expect({ name, status, json }).toMatchObject({ status: 400, json: { code: 'invalid_request', param: 'name' } });
    }
  });

  it('that nobody saved is not found, in every place, with the nearest', async () => {
    await save('pirate');
    const refused = {
      status: 404,
      json: { error: { code: 'profile_not_found', suggestions: expect.arrayContaining(['pirate']) } },
    };
    expect(await service.complete({ steering: { profile: 'pirat' } })).toMatchObject(refused);
    expect(await service.complete({ model: `${tinyModel}@pirat` })).toMatchObject(refused);
    expect(await service.complete({ model: `${tinyModel}@pirate:7` })).toMatchObject(refused);
    expect(await service.complete({ model: `${tinyModel}@` })).toMatchObject({ status: 404 });
    expect(await service.send('GET', `/v1/models/${tinyModel}@pirat`)).toMatchObject({ status: 404 });
    expect(await service.send('GET', '/api/v1/profiles/pirat')).toMatchObject({ status: 404, json: { param: 'name' } });
    expect(await service.send('POST', '/tokenize', { model: `${tinyModel}@pirat`, prompt: 'a' })).toMatchObject({
      status: 404,
    });
  });

  it('stands among the models', async () => {
    await save('listed');
    await save('listed');
    const { json } = await service.send('GET', '/v1/models');
    const ids = (json.data as { id: string; parent: string | null }[]).filter(({ id }) => /listed|llama$/.test(id));
    expect(ids).toMatchObject([
      { id: tinyModel, parent: null },
      { id: `${tinyModel}@listed`, parent: tinyModel },
    ]);
    expect(await service.send('GET', `/v1/models/${tinyModel}@listed:1`)).toMatchObject({
      status: 200,
      json: { id: `${tinyModel}@listed:1`, parent: tinyModel },
    });
    const listed = (await service.send('GET', '/api/v1/profiles?name=listed')).json;
    expect(listed.profiles).toMatchObject([{ version: 2 }, { version: 1 }]);
  });
});

describe('deleting a profile', () => {
  it('is refused while a request runs with it, and its number is not given again', async () => {
    await save('used');
    await save('used');
    const { model } = await service.services.useModel(tinyModel, new AbortController().signal);
    const { edits } = model.resolveSteering({ profile: 'used:1', edits: [] });
    const request = {
      id: 'r',
      promptTokenIds: Int32Array.of(5, 6, 7),
      sampling: {
        temperature: 0,
        topP: 1,
        topK: 0,
        minP: 0,
        repetitionPenalty: 1,
        frequencyPenalty: 0,
        presencePenalty: 0,
        logitBias: new Map(),
        seed: 0,
      },
      stop: { maxTokens: 2, minTokens: 0, strings: [], tokenIds: [], ignoreEos: true, includeStopString: false },
      logprobs: null,
      promptLogprobs: null,
      edits,
      positionContext: {
        promptLength: 3,
        assistantRanges: [],
        promptIsSpecial: new Uint8Array(3),
        specialTokenIds: new Set<number>(),
      },
      deadline: null,
      signal: null,
    };
    const events = model.submit(request)[Symbol.asyncIterator]();
    await events.next();
    const refused = await service.send('DELETE', '/api/v1/profiles/used:1');
    expect(refused).toMatchObject({ status: 409, json: { code: 'in_use', param: 'name' } });
    expect((await service.send('DELETE', '/api/v1/profiles/used')).status).toBe(409);
    expect((await service.send('DELETE', '/api/v1/profiles/used:2')).json).toMatchObject({
      name: 'used',
      deleted: [2],
    });
    while (!(await events.next()).done);
    const abandoned = new AbortController();
    model.submit({ ...request, id: 's', signal: abandoned.signal });
    expect((await service.send('DELETE', '/api/v1/profiles/used')).status).toBe(409);
    abandoned.abort();
    expect((await service.send('DELETE', '/api/v1/profiles/used')).json).toMatchObject({ deleted: [1] });
    expect((await service.complete({ steering: { profile: 'used' } })).status).toBe(404);
    expect((await save('used')).version).toBe(3);
  });
});

describe('other weights', () => {
  it('do not run a profile, whatever the model is called', async () => {
    await save('foreign');
    const { card } = (await service.services.useModel(null, new AbortController().signal)).model;
    const other = await start();
    const { model } = await other.services.useModel(null, new AbortController().signal);
    Object.assign(model.card, { hash: `${card.hash}x` });
    expect(await other.complete({ model: `${tinyModel}@foreign` })).toMatchObject({
      status: 422,
      json: {
        error: {
          code: 'edit_not_applicable',
          param: 'steering.profile',
          message: expect.stringContaining('other weights'),
        },
      },
    });
  });
});
