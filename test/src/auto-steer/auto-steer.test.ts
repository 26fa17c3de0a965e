import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EditRequest } from '../../../routes/services.ts';
import { autoSteerService } from '../../../src/auto-steer/auto-steer.ts';
import type { AutoSteerContext } from '../../../src/auto-steer/chat-tokens.ts';
import { SavedSteerings } from '../../../src/profiles/saved-steerings.ts';
import {
  startTinyService,
  type TinyService,
  tinyDirection,
  tinyModel,
  writeTinySource,
} from '../../harness/tiny-service.ts';

/** Plumbing over a random model: nothing that it writes means anything. */
let folder: string;
let service: TinyService;
let context: AutoSteerContext;
const path = '/api/v1/auto-steer';
const sampling = { maxTokens: 6, temperature: 0.7, topP: 1, repetitionPenalty: 1 };
const limits = { perplexityRatio: 1e9, distinctRatio: 0, repeatedShare: 1 };
const request = {
  ...{ specification: 'shout', pairs: null, questions: ['a', 'bb', 'ccc', 'dd', 'ee', 'ff'], prompts: ['one', 'two'] },
  ...{ seeds: [1, 2], sampling, words: ['x'], limits, features: 1, vectorStrengths: [1, 8], featureStrengths: [1] },
  ...{ saveAs: { name: 'shout', description: '' }, signal: new AbortController().signal },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-auto-steer-'));
  service = await startTinyService({ folder, flags: { source: [writeTinySource(folder, 2)] } });
  const { model } = service.services.model(tinyModel);
  const chatTemplate = {
    render: (messages: readonly { role: string; content: string }[]) =>
      messages.map(({ role, content }) => `${role} ${content} `).join(''),
  };
  context = { ...model, chatTemplate, registry: service.ready.registry, saved: new SavedSteerings(service.store) };
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('auto-steer', () => {
  it('writes replies, contrasts them, ranks candidates by output, tries them and compares with asking', async () => {
    const found = await autoSteerService(context).find(request);
    expect(found.pairs).toMatchObject({ by: 'model', count: expect.any(Number) });
    expect(found.pairs.examples[0]).toMatchObject({ prompt: 'a' });
    expect(found.contrast.saved).toMatchObject({ name: 'shout', version: 1 });
    expect(found.targets.map(({ name }) => name)).toEqual(['contrast', 'words']);
    const scores = found.candidates.map(({ outputScore }) => outputScore);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores.every(Number.isFinite)).toBe(true);
    const vector = found.candidates.find(({ kind }) => kind === 'vector');
    expect(vector).toMatchObject({ name: 'shout:1', inputScore: expect.any(Number) });
    const tried = found.candidates.filter(({ kind, evaluation }) => kind === 'feature' && evaluation !== null);
    expect(tried.length).toBeLessThanOrEqual(1);
    expect(vector?.evaluation?.doses.length).toBeGreaterThanOrEqual(2);
    expect(found.prompted.samples).toHaveLength(4);
    expect(found.verdict).toMatch(/system prompt/);
    expect(found.chosen === null).toBe(found.verdict.startsWith('Nothing worked'));
  });

  it('takes pairs as they are given, and needs some that differ', async () => {
    const pair = (i: number) => ({ prompt: `q ${i}`, positive: `yes ${i} !`, negative: `no ${i}` });
    const pairs = [1, 2, 3, 4].map(pair);
    const found = await autoSteerService(context).find({ ...request, pairs, features: 0, saveAs: null, words: null });
    expect(found.pairs).toMatchObject({ by: 'request', count: 4, examples: pairs });
    expect(found.candidates.map(({ name }) => name)).toEqual(['contrast']);
    const same = pairs.map((one) => ({ ...one, negative: one.positive }));
    await expect(autoSteerService(context).find({ ...request, pairs: same })).rejects.toMatchObject({
      ...{ code: 'invalid_request', param: 'pairs', message: expect.stringContaining('0 differ') },
    });
  });

  it('refuses too much before anything is written', async () => {
    const seeds = Array.from({ length: 64 }, (_, i) => i);
    const prompts = Array.from({ length: 64 }, (_, i) => `prompt ${i}`);
    await expect(autoSteerService(context).find({ ...request, seeds, prompts })).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'prompts',
    });
  });

  it('needs a chat template', async () => {
    const { model } = service.services.model(tinyModel);
    const bare = { ...context, chatTemplate: null };
    await expect(autoSteerService(bare).find(request)).rejects.toMatchObject({ code: 'unsupported' });
    if (model.chatTemplate === null) {
      expect(await service.send('POST', path, { specification: 'shout' })).toMatchObject({
        json: { code: 'unsupported' },
      });
    }
  });
});

describe('auto-conditional', () => {
  const kind = (letter: string) => Array.from({ length: 9 }, (_, i) => `${letter.repeat(3)} ${letter.repeat(i + 1)}`);
  const edit: EditRequest = {
    vector: { hookPoint: 'blocks.0.hook_resid_post', data: tinyDirection(3) },
    mode: 'add',
    number: 1,
    unit: 'raw',
    positions: 'all_but_first',
    skipSpecial: false,
    onlyIfActive: false,
    param: 'steering.edits[0]',
  };
  const asked = {
    ...{ positive: kind('a'), negative: kind('z'), edits: [edit], hookPoints: null, saveAs: null },
    signal: new AbortController().signal,
  };

  it('gives a rule that holds on held-out prompts of the kind and on no others, as a client can send it', async () => {
    const found = await autoSteerService(context).findCondition(asked);
    expect(found).toMatchObject({ works: true, measured: { positive: 3, negative: 3, hits: 3, falseAlarms: 0 } });
    expect(found.verdict).toBe(
      'It works: the condition holds on 3 of 3 held-out prompts of the kind and on 0 of 3 others.',
    );
    for (const [letter, fired] of [
      ['a', 1],
      ['z', 0],
    ] as const) {
      const prompt = `user ${letter.repeat(3)} ${letter.repeat(3)} `;
      const tokens = Array.from(await context.encode(prompt, { addSpecialTokens: false }));
      const { status, steering } = await service.complete({ prompt: tokens, steering: { rules: [found.rule] } });
      expect(status).toBe(200);
      expect(steering?.rules?.[0]?.times_fired).toBe(fired);
    }
  });

  it('says that nothing worked where examples are of one kind', async () => {
    const found = await autoSteerService(context).findCondition({
      ...asked,
      negative: kind('aa').map((text) => `${text} a`),
    });
    expect(found.works).toBe(found.verdict.startsWith('It works'));
    const twice = { ...asked, negative: kind('a') };
    await expect(autoSteerService(context).findCondition(twice)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('refuses edits that cannot be made before anything is read', async () => {
    const bad = { ...asked, edits: [{ ...edit, vector: 'nobody' }] };
    await expect(autoSteerService(context).findCondition(bad)).rejects.toMatchObject({ code: 'vector_not_found' });
  });
});
