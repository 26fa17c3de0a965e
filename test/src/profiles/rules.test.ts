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

/** `steering.rules` over the whole service, on a tiny model. */
let folder: string;
let store: Store;
let service: TinyService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-rules-'));
  store = await openStore(null);
  service = await startTinyService({ folder, store, streamNorm: 10, flags: { source: [writeTinySource(folder, 4)] } });
}, 120_000);

afterAll(async () => {
  await service.close();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const place = 'blocks.1.hook_resid_mid';
const vector = { hook_point: place, data: base64Of(tinyDirection(1)) };
/** Of anything that can be read. */
const holds = { vector, above: -1e6, unit: 'raw' };
const never = { vector, above: 1e6, unit: 'raw' };
const push = {
  vector: { hook_point: place, data: base64Of(tinyDirection(2)) },
  mode: 'add',
  strength: 40,
  unit: 'raw',
};
const asked = { seed: 1, temperature: 0, max_tokens: 8, ignore_eos: true };

describe('rules over HTTP', () => {
  it('end a reply before its first token, say which did, and are counted', async () => {
    const stopped = () => service.metric(`tiller_steering_rules_total{model_name="${tinyModel}",outcome="stopped"}`);
    const before = await stopped();
    const rules = [
      { when: never, stop: true },
      { when: { ...holds, end_of_prompt: 'max' }, stop: true },
    ];
    const { json, steering } = await service.complete({ ...asked, steering: { rules } });
    expect(json).toMatchObject({
      choices: [{ text: '', finish_reason: 'rule', stop_reason: 'steering.rules[1]' }],
      usage: { completion_tokens: 0 },
    });
    expect(steering?.rules).toMatchObject([
      { stopped: false, times_fired: 0, comparisons: [{ target: 'inline', hook_point: place, unit: 'raw' }] },
      { stopped: true, times_fired: 1, comparisons: [{ read: { min: expect.any(Number) } }] },
    ]);
    expect(await stopped()).toBe(before + 1);
  });

  it('edit what comes after the token that they were judged by: the second token of the reply is as without them', async () => {
    const plain = await service.complete(asked);
    const { json, steering } = await service.complete({ ...asked, steering: { rules: [{ when: holds, do: [push] }] } });
    expect(json).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    const [rule] = steering?.rules ?? [];
    const prompt = Reflect.get(json.usage as object, 'prompt_tokens') as number;
    // 8 tokens: 7 are read, and the first of these is judged, not edited
    expect(rule).toMatchObject({ tokens_read: 7, first_fired: prompt, times_fired: 7, edits: [{ tokens: 6 }] });
    expect(json).not.toEqual(plain.json);
  });

  it('that never hold leave the reply as it is', async () => {
    const plain = await service.complete(asked);
    const { json, text, steering } = await service.complete({
      ...asked,
      steering: { rules: [{ when: never, do: [push] }] },
    });
    expect(Reflect.get(json, 'choices')).toEqual(Reflect.get(plain.json, 'choices'));
    expect(steering?.rules).toMatchObject([{ first_fired: null, edits: [{ tokens: 0 }] }]);
    expect(text).not.toContain('warnings');
  });

  it('come from a profile as from the request, frozen', async () => {
    const rules = [
      { when: { any: [{ feature: `${tinyModel}/tiny/1`, above: 1e6, unit: 'raw' }, holds] }, latch: true, do: [push] },
    ];
    const saved = await service.send('POST', '/api/v1/profiles', { name: 'ruled', steering: { rules } });
    expect(saved.status).toBe(200);
    const direct = await service.complete({ ...asked, steering: { rules } });
    const named = await service.complete({ ...asked, steering: { profile: 'ruled' } });
    expect(Reflect.get(named.json, 'choices')).toEqual(Reflect.get(direct.json, 'choices'));
    expect(named.steering?.rules).toMatchObject([
      { from_profile: true, latched: true, times_fired: 1, edits: [{ tokens: 6 }] },
    ]);
    expect((await service.send('GET', '/api/v1/profiles/ruled')).json).toMatchObject({
      rules: [{ latch: true, comparisons: [{ threshold: 1e6 }, { threshold: -1e6 }], edits: [{ number: 40 }] }],
    });
    const file = await service.send('GET', '/api/v1/profiles/ruled/export');
    const imported = await service.send('POST', '/api/v1/profiles/import?name=again', file.json);
    expect(imported.json).toMatchObject({ name: 'again' });
    const again = await service.complete({ ...asked, steering: { profile: 'again' } });
    expect(Reflect.get(again.json, 'choices')).toEqual(Reflect.get(direct.json, 'choices'));
  });

  it.each([
    [
      'a source that is not loaded',
      { any: [{ feature: `${tinyModel}/other/1`, above: 1 }] },
      404,
      'when.any[0].feature',
    ],
    [
      'a hook point that is not there',
      { vector: { ...vector, hook_point: 'blocks.9.hook_resid_mid' }, above: 1 },
      404,
      'when.vector.hook_point',
    ],
    ['a misspelt field', { any: [{ vector, abov: 1 }] }, 400, 'when.any[0].abov'],
    ['nothing', {}, 400, 'when'],
  ])('are refused for %s, by place', async (_what, when, status, param) => {
    const answer = await service.complete({ ...asked, steering: { rules: [{ when: never }, { when, do: [push] }] } });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ error: { param: `steering.rules[1].${param}` } });
  });
});
