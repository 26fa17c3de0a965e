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
  writeTinySource,
} from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
const path = '/api/v1/sweeps';
const prompts = [{ token_ids: [5, 6, 7, 8] }, { token_ids: [9, 10, 11] }];
const asked = {
  ...{ prompts, seeds: [1, 2], strengths: [1, 30], max_tokens: 5, unit: 'raw' },
  ...{ vectors: ['push'], features: ['tiny/1'], targets: [{ words: ['a'] }] },
};

interface Row {
  readonly key: string;
  readonly name: string | null;
  readonly strength: number | null;
  readonly prompt: number;
  readonly seed: number;
  readonly text: string;
  readonly scores: readonly number[];
  readonly edits: readonly object[];
  readonly steering: { readonly fingerprint: { readonly seeds: readonly number[] } };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-sweep-'));
  service = await startTinyService({ folder, flags: { source: [writeTinySource(folder, 2)] } });
  const directions = [{ hook_point: 'blocks.1.hook_resid_post', data: base64Of(tinyDirection(3)) }];
  await service.send('POST', '/api/v1/vectors', { name: 'push', directions });
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

const lines = async (body: object) => {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/x-ndjson' };
  const response = await createApp(service.services).request(path, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  return (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
};

describe('a sweep', () => {
  it('is every steering × strength × prompt × seed, each row with all that gives its text again', async () => {
    const { json, status } = await service.send('POST', path, asked);
    expect([status, json]).toMatchObject([200, { model: tinyModel, targets: ['words'], texts: 20 }]);
    const rows = json.rows as Row[];
    expect(new Set(rows.map(({ key }) => key)).size).toBe(20);
    expect(rows[0]?.key).toBe('control/prompt-0/seed-1');
    expect(rows[19]).toMatchObject({ key: 'push@30/prompt-1/seed-2', name: 'push', strength: 30, prompt: 1, seed: 2 });
    for (const row of [rows[2], rows[11], rows[19]]) {
      const { text } = await service.complete({
        ...{ prompt: prompts[row?.prompt ?? 0]?.token_ids, seed: row?.seed, max_tokens: 5, temperature: 0.7 },
        ...(row?.edits.length === 0 ? {} : { steering: { edits: row?.edits } }),
      });
      expect(text).toBe(row?.text);
      expect(row?.steering.fingerprint.seeds).toEqual([row?.seed]);
    }
    expect(rows[19]?.edits).toMatchObject([{ vector: 'push:1', strength: 30 }]);
    const plain = ({ key, text, scores, edits }: Row) => ({ key, text, scores, edits });
    expect((await lines(asked)).map(plain)).toEqual(rows.map(plain));
  });

  it('leaves out what is there already', async () => {
    const { model } = service.services.model(tinyModel);
    const request = {
      prompts: prompts.map(({ token_ids }, i) => ({
        tokenIds: Int32Array.from(token_ids),
        positions: () => ({
          promptLength: token_ids.length,
          assistantRanges: [],
          promptIsSpecial: new Uint8Array(token_ids.length),
          specialTokenIds: new Set<number>(),
        }),
        param: `prompts[${i}]`,
      })),
      ...{ seeds: [1], strengths: [], steerings: [], targets: [], control: true, signal: null },
      sampling: { maxTokens: 2, temperature: 0.7, topP: 1, repetitionPenalty: 1 },
    };
    const keys = async (done: Set<string>) => {
      const found: string[] = [];
      for await (const { key } of model.evaluation.sweep({ ...request, done }).rows) found.push(key);
      return found;
    };
    expect(await keys(new Set())).toEqual(['control/prompt-0/seed-1', 'control/prompt-1/seed-1']);
    expect(await keys(new Set(['control/prompt-0/seed-1']))).toEqual(['control/prompt-1/seed-1']);
  });

  it('takes steerings of several edits under names', async () => {
    const both = [
      { vector: 'push', mode: 'add', strength: 1, unit: 'raw' },
      { feature: 'tiny/0', mode: 'ablate' },
    ];
    const rows = await lines({
      ...{ prompts, strengths: [2], max_tokens: 3, control: false },
      steerings: [{ name: 'both', edits: both }],
    });
    expect(rows.map(({ key }) => key)).toEqual(['both@2/prompt-0/seed-0', 'both@2/prompt-1/seed-0']);
    expect(rows[0]?.edits).toMatchObject([{ strength: 2 }, { mode: 'ablate' }]);
  });

  it.each([
    ['nothing to sweep', { vectors: [], features: [] }, 'invalid_request', 'steerings'],
    [
      'a name twice',
      { steerings: [{ name: 'push', edits: [{ vector: 'push', mode: 'ablate' }] }] },
      'invalid_request',
      'steerings[2].name',
    ],
    ['an unknown vector', { vectors: ['pus'] }, 'vector_not_found', 'vectors[0].vector'],
    ['an unknown feature', { features: ['tiny/9'] }, 'feature_not_found', 'features[0].feature'],
    [
      'a bad edit',
      { steerings: [{ name: 'x', edits: [{ vector: 'push', mode: 'add' }] }] },
      'invalid_request',
      'steerings[0].edits[0].strength',
    ],
    [
      'too many texts',
      { seeds: Array.from({ length: 64 }, (_, i) => i), strengths: Array.from({ length: 64 }, (_, i) => i) },
      'invalid_request',
      'prompts',
    ],
  ])('refuses %s before the work', async (_what, more, code, param) => {
    expect((await service.send('POST', path, { ...asked, ...more })).json).toMatchObject({ code, param });
  });
});
