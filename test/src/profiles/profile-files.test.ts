import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifacts } from '../../../sae-registry/store/schema.ts';
import { familyPath } from '../../harness/families.ts';
import {
  base64Of,
  startTinyService,
  type TinyService,
  tinyDirection,
  tinyModel,
  writeTinySource,
} from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
let file: Record<string, unknown>;
const steering = {
  edits: [
    { feature: `${tinyModel}/tiny/0`, mode: 'floor', value: 2, positions: 'all' },
    { vector: 'pirate', mode: 'add', strength: 3, unit: 'raw' },
  ],
};
const closers: (() => Promise<void>)[] = [];
const importInto = (at: TinyService, body: unknown, query = '') =>
  at.send('POST', `/api/v1/profiles/import${query}`, body);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-files-'));
  service = await startTinyService({ folder, flags: { source: [writeTinySource(folder, 4)] } });
  closers.push(service.close);
  const directions = [
    { hook_point: 'blocks.0.hook_resid_post', data: base64Of(tinyDirection(1)) },
    { hook_point: 'blocks.1.hook_mlp_out', data: base64Of(tinyDirection(2)) },
  ];
  await service.send('POST', '/api/v1/vectors', { name: 'pirate', directions });
  await service.send('POST', '/api/v1/profiles', { name: 'taken', description: 'arr', steering });
  file = (await service.send('GET', '/api/v1/profiles/taken/export')).json;
});

afterAll(async () => {
  for (const close of closers) await close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an exported profile', () => {
  it('holds all that it needs: elsewhere it steers the same, without the vectors and dictionaries that it was made with', async () => {
    expect(file).toMatchObject({ format: 'tiller-profile', schema_version: 1, name: 'taken', version: 1, steering });
    const elsewhere = await startTinyService({ folder, flags: { source: [] } });
    closers.push(elsewhere.close);
    const { json } = await importInto(elsewhere, JSON.parse(JSON.stringify(file)));
    expect(json).toMatchObject({ name: 'taken', version: 1, description: 'arr', fingerprint: file.fingerprint });
    const here = await service.complete({ steering: { profile: 'taken' }, logprobs: 2, seed: 1 });
    const there = await elsewhere.complete({ model: `${tinyModel}@taken`, logprobs: 2, seed: 1 });
    expect(there.json.choices).toEqual(here.json.choices);
    expect(there.steering).toEqual(here.steering);
    expect(here.steering?.edits.map(({ target }) => target)).toEqual([`${tinyModel}/tiny/0`, 'pirate:1', 'pirate:1']);
    expect((await elsewhere.send('GET', '/api/v1/profiles/taken/export')).json).toMatchObject({ edits: file.edits });
    expect(elsewhere.store.db.select().from(artifacts).all()).toMatchObject([{ kind: 'profile', hash: file.sha256 }]);
  });

  it('becomes the next version of its name, or of another', async () => {
    expect((await importInto(service, file)).json).toMatchObject({ name: 'taken', version: 2 });
    expect((await importInto(service, file, '?name=other')).json).toMatchObject({ name: 'other', version: 1 });
    expect(await importInto(service, file, '?name=..')).toMatchObject({ status: 400, json: { param: 'name' } });
    expect(await importInto(service, file, '?name=import')).toMatchObject({ status: 400, json: { param: 'name' } });
  });

  it('of another model is refused by name', async () => {
    const gpt2 = await startTinyService({ folder, model: familyPath('gpt2') });
    closers.push(gpt2.close);
    expect(await importInto(gpt2, file)).toMatchObject({ status: 404, json: { code: 'model_not_found' } });
    expect(await importInto(gpt2, file, '?model=gpt2')).toMatchObject({
      status: 422,
      json: { code: 'edit_not_applicable', detail: expect.stringMatching(/saved on tiny-llama .* this is gpt2/) },
    });
    // the same name over other weights
    const path = join(folder, 'tiny-llama');
    cpSync(join(import.meta.dirname, '../../fixtures/tiny-llama/f32'), path, { recursive: true });
    const weights = readFileSync(join(path, 'model.safetensors'));
    weights.writeFloatLE(0.5, weights.length - 4);
    writeFileSync(join(path, 'model.safetensors'), weights);
    const other = await startTinyService({ folder, model: path });
    closers.push(other.close);
    expect(await importInto(other, file)).toMatchObject({
      status: 422,
      json: { code: 'edit_not_applicable', param: 'fingerprint.model_hash' },
    });
    expect((await other.send('GET', '/api/v1/profiles')).json).toEqual({ profiles: [] });
  });

  it.each([
    ['that was changed', () => ({ ...file, description: 'else' }), 'sha256'],
    ['with a direction that was changed', () => ({ ...file, directions: [base64Of(tinyDirection(9))] }), 'sha256'],
    ['of a newer version', () => ({ ...file, schema_version: 2 }), 'schema_version'],
    ['of another format', () => ({ ...file, format: 'else' }), 'format'],
    ['without its edits', () => ({ ...file, edits: undefined }), 'edits'],
    [
      'with an edit of an unknown mode',
      () => ({ ...file, edits: [{ ...(file.edits as object[])[0], mode: 'x' }] }),
      'edits.0.mode',
    ],
    ['with a field too many', () => ({ ...file, extra: 1 }), 'extra'],
  ])('%s is refused', async (_what, changed, param) => {
    const { status, json } = await importInto(service, changed());
    expect({ status, json }).toMatchObject({ status: 400, json: { param } });
  });
});
