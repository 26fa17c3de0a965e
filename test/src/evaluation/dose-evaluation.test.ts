import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greedyRequest } from '../../../engine/index.ts';
import { base64Of, startTinyService, type TinyService, tinyDirection, tinyModel } from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
const place = 'blocks.1.hook_resid_post';
const direction = tinyDirection(3);
const vector = { hook_point: place, data: base64Of(direction) };
const prompts = [{ token_ids: [5, 6, 7, 8] }, { text: 'some words' }, { token_ids: [9, 10] }];
const edit = { vector: 'push', mode: 'add', strength: 1, unit: 'raw' };
const asked = { prompts, strengths: [0.5, 40], seeds: [1, 2], max_tokens: 6, limits: { perplexity_ratio: 1e9 } };

interface Dose {
  readonly strength: number;
  readonly perplexity: number;
  readonly relative_dose: number;
  readonly effects: readonly { readonly target: string; readonly mean: number; readonly change: number }[];
  readonly samples: readonly Sample[];
}
interface Sample {
  readonly prompt: number;
  readonly seed: number;
  readonly text: string;
  readonly tokens: number;
  readonly perplexity: number;
  readonly scores: readonly number[];
  readonly steering: { readonly fingerprint: { readonly seeds: readonly number[] } };
}
interface Answer {
  readonly control: Dose & { readonly targets: readonly { readonly mean: number }[] };
  readonly doses: readonly Dose[];
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-doses-'));
  service = await startTinyService({ folder });
  await service.send('POST', '/api/v1/vectors', { name: 'push', directions: [vector] });
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

const evaluate = (body: object) => service.send('POST', '/api/v1/steering/evaluate', body);

/** Log-probabilities of a reply's tokens, read by the completions route. */
async function echoed(tokens: readonly number[], steering?: object): Promise<readonly number[]> {
  const { json } = await service.send('POST', '/v1/completions', {
    ...{ prompt: tokens, max_tokens: 0, echo: true, logprobs: 1, ...(steering ? { steering } : {}) },
  });
  const [choice] = json.choices as { logprobs: { token_logprobs: number[] } }[];
  return choice?.logprobs.token_logprobs ?? [];
}

describe('a dose response', () => {
  it('generates what a client would get, with and without the edits', async () => {
    const { status, json } = await evaluate({ ...asked, steering: { edits: [edit] } });
    expect(status).toBe(200);
    const { control, doses } = json as unknown as Answer;
    expect(doses.map(({ strength, samples }) => [strength, samples.length])).toEqual([
      [0.5, 6],
      [40, 6],
    ]);
    for (const [strength, samples] of [
      [0, control.samples],
      [40, doses[1]?.samples ?? []],
    ] as const) {
      const own = samples.find(({ prompt, seed }) => prompt === 0 && seed === 2);
      const { text } = await service.complete({
        ...{ prompt: [5, 6, 7, 8], max_tokens: 6, temperature: 0.7, seed: 2 },
        ...(strength === 0 ? {} : { steering: { edits: [{ ...edit, strength }] } }),
      });
      expect(own?.text).toBe(text);
      expect(own?.steering.fingerprint.seeds).toEqual([2]);
    }
    expect(control.samples.map(({ text }) => text)).not.toEqual(doses[1]?.samples.map(({ text }) => text));
    expect(doses[1]?.relative_dose).toBeGreaterThan(doses[0]?.relative_dose ?? 1);
    expect(control.relative_dose).toBeNull();
  });

  it('reads perplexity and probes of the text alone, as the unsteered model does', async () => {
    const targets = [{ probe: { vector } }, { name: 'first', continuations: ['a', 'b'] }, { words: ['never said'] }];
    const one = { ...asked, prompts: [{ token_ids: [5, 6, 7, 8] }], seeds: [1], targets };
    const { json } = await evaluate({ ...one, steering: { edits: [edit] } });
    const { doses } = json as unknown as Answer;
    const [dose] = doses.filter(({ strength }) => strength === 40);
    const [sample] = dose?.samples ?? [];
    const ids = await replyIds(40, 1);
    expect(ids).toHaveLength(sample?.tokens ?? 0);
    const own = (await echoed([5, 6, 7, 8, ...ids])).slice(4);
    expect(sample?.perplexity).toBeCloseTo(Math.exp(-own.reduce((sum, value) => sum + value, 0) / own.length), 3);
    // the steering itself added 40 along the direction to every token: the text alone shows nothing of that
    expect(Math.abs(sample?.scores[0] ?? 99)).toBeLessThan(10);
    expect(dose?.effects.map(({ target }) => target)).toEqual(['probe', 'first', 'words']);
    expect(sample?.scores[2]).toBe(0);

    const chances = await Promise.all(
      ['a', 'b'].map(async (text) => {
        const next = Array.from(service.ready.model.tokenizer.encode(text, { addSpecialTokens: false }));
        const range = { ...edit, strength: 40, positions: { from: 1, to: 4 + next.length } };
        const logprobs = await echoed([5, 6, 7, 8, ...next], { edits: [range] });
        return Math.exp(logprobs.slice(4).reduce((sum, value) => sum + value, 0));
      }),
    );
    expect(sample?.scores[1]).toBeCloseTo(Math.log((chances[0] ?? 0) + (chances[1] ?? 0)), 3);
  });

  it.each(['all', 'all_but_first', 'prompt', 'generated', 'last', { from: 1, to: 3 }])(
    'gives a continuation the probability that generating has, with edits at %j',
    async (positions) => {
      const push = { ...edit, strength: 25, positions };
      const reply = await service.complete({ max_tokens: 1, logprobs: 1, steering: { edits: [push] } });
      const [choice] = reply.json.choices as { text: string; logprobs: { token_logprobs: number[] } }[];
      const { json } = await evaluate({
        ...{ prompts: [{ token_ids: [5, 6, 7, 8] }], max_tokens: 1, strengths: [1], steering: { edits: [push] } },
        targets: [{ continuations: [choice?.text ?? ''] }],
      });
      const [dose] = (json as unknown as Answer).doses;
      expect(dose?.effects[0]?.mean).toBeCloseTo(choice?.logprobs.token_logprobs[0] ?? 0, 3);
    },
  );

  it('of a saved vector names its version and looks between two strengths', async () => {
    const { json } = await service.send('POST', '/api/v1/vectors/push/evaluate', {
      ...{ prompts, unit: 'raw', strengths: [0, 1e-3, 900], temperature: 1, max_tokens: 24, refine: 2 },
      include_texts: false,
    });
    expect(json).toMatchObject({ model: tinyModel, vector: 'push:1', strongest_fluent: expect.any(Number) });
    const { doses } = json as unknown as Answer;
    expect(doses.length).toBeGreaterThan(3);
    expect(doses.map(({ strength }) => strength)).toEqual(doses.map(({ strength }) => strength).sort((a, b) => a - b));
    expect(doses[0]?.samples).toBeUndefined();
  });

  it.each([
    ['a strength twice', { strengths: [1, 1] }, 'invalid_request', 'strengths[1]'],
    [
      'no number to multiply',
      { steering: { edits: [{ vector: 'push', mode: 'ablate' }] } },
      'invalid_request',
      'edits',
    ],
    ['a profile', { steering: { profile: 'x', edits: [edit] } }, 'invalid_request', 'steering.profile'],
    [
      'an unknown vector',
      { steering: { edits: [{ ...edit, vector: 'pus' }] } },
      'vector_not_found',
      'steering.edits[0].vector',
    ],
    ['two kinds of target', { targets: [{ words: ['a'], continuations: ['b'] }] }, 'invalid_request', 'targets[0]'],
    ['an unknown probe', { targets: [{ probe: { vector: 'pus' } }] }, 'vector_not_found', 'targets[0].probe.vector'],
    [
      'continuations that begin with another',
      { targets: [{ continuations: ['a', 'a'] }] },
      'invalid_request',
      'targets[0].continuations[0]',
    ],
    ['greedy seeds', { temperature: 0 }, 'invalid_request', 'seeds'],
    ['a reply beyond the context', { max_tokens: 2048 }, 'context_length_exceeded', 'prompts[0]'],
    [
      'too many texts',
      { seeds: Array.from({ length: 64 }, (_, i) => i), strengths: Array.from({ length: 64 }, (_, i) => i) },
      'invalid_request',
      'prompts',
    ],
  ])('refuses %s before the work', async (_what, more, code, param) => {
    const { json } = await evaluate({ steering: { edits: [edit] }, ...asked, ...more });
    expect(json).toMatchObject({ code, param });
  });
});

/** Token ids of the reply that was steered so. */
async function replyIds(strength: number, seed: number): Promise<number[]> {
  const { model } = service.services.model(tinyModel);
  const push = { vector: 'push', mode: 'add', number: strength, unit: 'raw', positions: 'all_but_first' } as const;
  const { edits } = model.resolveSteering({
    edits: [{ ...push, skipSpecial: false, onlyIfActive: false, param: 'it' }],
  });
  const plain = greedyRequest('ids', Int32Array.of(5, 6, 7, 8), 6, { edits });
  const ids: number[] = [];
  for await (const event of model.submit({ ...plain, sampling: { ...plain.sampling, temperature: 0.7, seed } })) {
    if (event.type === 'token') ids.push(event.tokenId);
  }
  return ids;
}
