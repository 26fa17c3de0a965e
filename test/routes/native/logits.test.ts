import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greedyRequest } from '../../../engine/index.ts';
import type { LogProbabilityAnswer } from '../../../routes/native/log-probability-schemas.ts';
import type { LogitsAnswer } from '../../../routes/native/logits-schemas.ts';
import { createApp } from '../../../src/app.ts';
import { divergence } from '../../../src/logits/divergence.ts';
import { readSafetensors } from '../../harness/read-safetensors.ts';
import { runPrompt } from '../../harness/run-prompt.ts';
import {
  base64Of,
  startTinyService,
  type TinyService,
  tinyDirection,
  tinyWidth,
  writeTinySource,
} from '../../harness/tiny-service.ts';

let service: TinyService;
let vocabulary: number;
const ids = [1, 9, 200, 17, 33, 5, 77, 310, 41, 8];
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tiller-logits-'));
  service = await startTinyService({ folder, flags: { source: [writeTinySource(folder, 3)] } });
  vocabulary = service.ready.model.config.vocabularySize;
});
afterAll(() => service.close());

async function logits(body: object): Promise<LogitsAnswer> {
  const { status, json } = await service.send('POST', '/api/v1/logits', body);
  expect(status, JSON.stringify(json)).toBe(200);
  return json as unknown as LogitsAnswer;
}

async function score(body: object): Promise<LogProbabilityAnswer> {
  const { status, json } = await service.send('POST', '/api/v1/log-probabilities', body);
  expect(status, JSON.stringify(json)).toBe(200);
  return json as unknown as LogProbabilityAnswer;
}

async function refused(path: string, body: object) {
  const { status, json } = await service.send('POST', path, body);
  return { status, code: json.code, param: json.param, detail: String(json.detail) };
}

const lastBlock = () => `blocks.${service.ready.model.config.blocks - 1}.hook_resid_post`;
const everything = () => Array.from({ length: vocabulary }, (_, id) => id);
const edit = (hookPoint: string, strength = 2) => ({
  vector: { hook_point: hookPoint, data: base64Of(tinyDirection(3)) },
  ...{ mode: 'add', strength, unit: 'raw', positions: 'all' },
});

describe('POST /api/v1/logits', () => {
  it('tells the likeliest and the chosen tokens after the last one', async () => {
    const { tokenizer, executor } = service.ready.model;
    const word = tokenizer.tokenText(70);
    const { inputs } = await logits({ token_ids: ids, top: 4, tokens: [310, word] });
    const [input] = inputs;
    expect(input?.tokens.map(({ id }) => id)).toEqual(ids);
    expect(input?.positions).toHaveLength(1);
    const [position] = input?.positions ?? [];
    const whole = (await runPrompt(executor, ids)).logits[0] as Float32Array;
    const order = [...whole.keys()].sort((a, b) => (whole[b] as number) - (whole[a] as number));
    expect(position?.position).toBe(ids.length - 1);
    expect(position?.top.map(({ id }) => id)).toEqual(order.slice(0, 4));
    expect(position?.tokens.map(({ id }) => id)).toEqual([310, 70]);
    expect(position?.tokens[0]?.logit).toBeCloseTo(whole[310] as number, 4);
    const total = whole.reduce((sum, logit) => sum + Math.exp(logit), 0);
    for (const { id, probability } of position?.top ?? []) {
      expect(probability).toBeCloseTo(Math.exp(whole[id] as number) / total, 5);
    }
  });

  it('tells chosen positions of a batch, from the end too, steered and not', async () => {
    const inputs = [{ token_ids: ids }, { token_ids: ids.slice(0, 4) }];
    const body = { inputs, positions: [0, -1], top: 1, tokens: everything().slice(0, 50) };
    const plain = await logits(body);
    expect(plain.inputs.map((input) => input.positions.map(({ position }) => position))).toEqual([
      [0, 9],
      [0, 3],
    ]);
    // what comes after does not change what came before
    expect(plain.inputs[0]?.positions[0]?.tokens).toEqual(plain.inputs[1]?.positions[0]?.tokens);
    const steered = await logits({ ...body, steering: { edits: [edit('blocks.0.hook_resid_post')] } });
    expect(steered.steering?.edits[0]).toMatchObject({ tokens: 14, hook_point: 'blocks.0.hook_resid_post' });
    expect(steered.inputs[1]?.positions[1]?.tokens).not.toEqual(plain.inputs[1]?.positions[1]?.tokens);
  });

  it('looks through the lens: after the last block it is the model itself, before it is not', async () => {
    const body = { token_ids: ids, positions: 'all', top: 3, tokens: [5, 6], lens: {} };
    const [input] = (await logits(body)).inputs;
    const { blocks } = service.ready.model.config;
    expect(input?.lens?.map(({ hook_point }) => hook_point)).toEqual(
      Array.from({ length: blocks }, (_, block) => `blocks.${block}.hook_resid_post`),
    );
    const last = input?.lens?.at(-1)?.positions ?? [];
    expect(last).toHaveLength(ids.length);
    for (const [t, { top, tokens, position }] of last.entries()) {
      expect(position).toBe(t);
      expect(top.map(({ id }) => id)).toEqual(input?.positions[t]?.top.map(({ id }) => id));
      expect(tokens[1]?.logit).toBeCloseTo(input?.positions[t]?.tokens[1]?.logit ?? Number.NaN, 4);
    }
    expect(input?.lens?.[0]?.positions[5]?.tokens[0]?.logit).not.toBeCloseTo(last[5]?.tokens[0]?.logit ?? 0, 2);
    const chosen = await logits({ ...body, lens: { hook_points: ['blocks.1.hook_resid_pre', 'hook_embed'] } });
    expect(chosen.inputs[0]?.lens?.map(({ hook_point }) => hook_point)).toEqual([
      'blocks.0.hook_resid_post',
      'hook_embed',
    ]);
    expect(chosen.inputs[0]?.lens?.[0]?.positions[3]).toEqual(input?.lens?.[0]?.positions[3]);
  });

  it('takes logits apart by directions: those of a whole basis add up to the logits', async () => {
    const through = Array.from({ length: tinyWidth }, (_, at) => {
      const unit = Float32Array.from({ length: tinyWidth }, (_, i) => (i === at ? 3 : 0));
      return { vector: { hook_point: lastBlock(), data: base64Of(unit) } };
    });
    const body = { token_ids: ids, positions: { from: 4, to: 7 }, top: 2, tokens: [7, 90], through };
    const [input] = (await logits(body)).inputs;
    expect(input?.through).toHaveLength(tinyWidth);
    for (const [r, { tokens, position }] of (input?.positions ?? []).entries()) {
      for (const [k, { logit }] of tokens.entries()) {
        const written = input?.through?.map((one) => one.positions[r]?.logits[k] ?? Number.NaN) ?? [];
        expect(written.reduce((sum, value) => sum + value, 0)).toBeCloseTo(logit, 3);
      }
      expect(input?.through?.[0]?.positions[r]?.position).toBe(position);
    }
    const [one] = input?.through ?? [];
    expect(one?.top[0]?.effect).toBeGreaterThan(one?.bottom[0]?.effect ?? Number.NaN);
  });

  it('takes a feature’s own activation, or a coefficient that is given', async () => {
    const feature = 'tiny-llama/tiny/1';
    const body = { token_ids: ids, positions: 'all', tokens: [7] };
    const [input] = (await logits({ ...body, through: [{ feature }, { feature, coefficient: 2 }] })).inputs;
    const [own, given] = input?.through ?? [];
    const target = service.ready.registry.target(feature, 'feature');
    if (target.kind !== 'feature' || !target.encoder) throw new Error('not a feature that is read');
    const { direction, bias, threshold } = target.encoder;
    const { taps } = await runPrompt(service.ready.model.executor, ids, { taps: [target.hookPoint] });
    const stream = taps.get(target.hookPoint) ?? new Float32Array();
    let active = 0;
    for (const [t, { coefficient }] of (own?.positions ?? []).entries()) {
      let a = bias;
      for (let i = 0; i < tinyWidth; i++) a += (stream[t * tinyWidth + i] as number) * (direction[i] as number);
      expect(coefficient).toBeCloseTo(a > threshold ? a : 0, 4);
      if (coefficient > 0) active++;
    }
    expect(active).toBeGreaterThan(0);
    expect(given?.positions.map(({ coefficient }) => coefficient)).toEqual(ids.map(() => 2));
    expect(given?.tokens).toEqual(own?.tokens);
  });

  it('answers with tensors where they are asked for', async () => {
    const app = createApp(service.services);
    const ask = (accept: string) =>
      app.request('/api/v1/logits', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', accept },
        body: JSON.stringify({ ...body, odd: 1, through: [{ feature: 'tiny-llama/tiny/1' }] }),
      });
    const body = {
      inputs: [{ token_ids: ids }, { token_ids: [4, 5] }],
      positions: [0, -1],
      top: 3,
      tokens: [9],
      lens: {},
    };
    const response = await ask('application/vnd.safetensors');
    expect(response.headers.get('content-type')).toBe('application/vnd.safetensors');
    const { tensors, metadata } = readSafetensors(new Uint8Array(await response.arrayBuffer()));
    const plain = (await (await ask('*/*')).json()) as LogitsAnswer;
    for (const [i, input] of plain.inputs.entries()) {
      const of = (name: string) => tensors.get(`inputs.${i}.${name}`);
      expect([...(of('token_ids')?.values ?? [])]).toEqual(input.tokens.map(({ id }) => id));
      expect(of('top_ids')).toMatchObject({ type: 'I32', shape: [2, 3] });
      expect([...(of('top_ids')?.values ?? [])]).toEqual(input.positions.flatMap(({ top }) => top.map(({ id }) => id)));
      const [place] = input.lens ?? [];
      expect([...(of(`lens.${place?.hook_point}.token_logits`)?.values ?? [])]).toEqual(
        place?.positions.map(({ tokens }) => tokens[0]?.logit),
      );
      expect([...(of('through.0.scales')?.values ?? [])]).toEqual(
        input.through?.[0]?.positions.map(({ scale }) => scale),
      );
    }
    expect(metadata).toMatchObject({ model: 'tiny-llama', token_ids: '9', warnings: expect.stringContaining('odd') });
    expect((await ask('text/html')).status).toBe(406);
  });

  it.each([
    ['tokens[1]', { tokens: [3, 'several tokens of a text'] }, 400, /tokens \(/],
    ['tokens[0]', { tokens: [100_000] }, 400, /no token 100000/],
    ['positions[1]', { positions: [0, 10] }, 400, /no position 10/],
    ['positions.to', { positions: { from: 2, to: 11 } }, 400, /10 tokens/],
    ['lens.hook_points[0]', { lens: { hook_points: ['blocks.0.mlp.hook_post'] } }, 400, /not a place of it/],
    [
      'lens.hook_points[1]',
      { lens: { hook_points: ['hook_embed', 'blocks.9.hook_resid_post'] } },
      404,
      /No hook point/,
    ],
    ['through[0]', { through: [{ coefficient: 1 }] }, 400, /exactly one/],
    ['through[0].feature', { through: [{ feature: 'tiny-llama/tiny/99' }] }, 404, /99/],
    ['through[0].vector', { through: [{ vector: 'nobody' }] }, 404, /nobody/],
    [
      'through[0].vector',
      { through: [{ vector: { hook_point: 'hook_embed', data: base64Of(new Float32Array(tinyWidth)) } }] },
      422,
      /norm is 0/,
    ],
  ])('names what it cannot do: %s', async (param, more, status, detail) => {
    expect(await refused('/api/v1/logits', { token_ids: ids, ...more })).toMatchObject({
      ...{ status, param, detail: expect.stringMatching(detail) },
    });
  });

  it('refuses what would be too large before anything runs, with estimate and limit', async () => {
    const steps = () => service.ready.model.executor.statistics().runs;
    const before = steps();
    const inputs = Array.from({ length: 200 }, () => ({ token_ids: ids }));
    const body = { inputs, positions: 'all', top: 256, tokens: everything().slice(0, 300), lens: {} };
    expect(await refused('/api/v1/logits', body)).toMatchObject({
      ...{ status: 422, code: 'answer_too_large', param: 'lens' },
      detail: expect.stringMatching(/could take \d+ MB and may take 8\.0 MB: .*safetensors/),
    });
    expect(steps()).toBe(before);
  });
});

describe('POST /api/v1/log-probabilities', () => {
  it('gives the engine’s log-probabilities of a text, their sum and its perplexity', async () => {
    const [input] = (await score({ token_ids: ids, top: 2 })).inputs;
    let told: readonly ({ logprob: number } | null)[] = [];
    const request = greedyRequest('reference', Int32Array.from(ids), 0, { promptLogprobs: 2 });
    for await (const event of service.ready.engine.submit(request)) {
      if (event.type === 'prompt') told = event.logprobs ?? [];
    }
    expect(input?.tokens.map(({ logprob }) => logprob)).toEqual([
      null,
      ...told.slice(1).map((one) => expect.closeTo(one?.logprob ?? Number.NaN, 5)),
    ]);
    const sum = told.reduce((total, one) => total + (one?.logprob ?? 0), 0);
    expect(input).toMatchObject({ counted: 9, sum: expect.closeTo(sum, 4), greedy: false });
    expect(input?.perplexity).toBeCloseTo(Math.exp(-sum / 9), 3);
    expect(input?.tokens[4]?.top).toHaveLength(2);
    const [tail] = (await score({ token_ids: ids, count_from: 7 })).inputs;
    expect(tail?.counted).toBe(3);
    expect(tail?.sum).toBeCloseTo(
      told.slice(7).reduce((total, one) => total + (one?.logprob ?? 0), 0),
      4,
    );
  });

  it('scores a conversation as it stands; logits are of what the assistant says next', async () => {
    const messages = [{ role: 'user', content: 'hello' }];
    const [scored] = (await score({ messages })).inputs;
    const [asked] = (await logits({ messages })).inputs;
    const [whole] = (await score({ messages, add_generation_prompt: true })).inputs;
    expect(asked?.tokens.length).toBeGreaterThan(scored?.tokens.length ?? 0);
    expect(whole?.tokens.map(({ id }) => id)).toEqual(asked?.tokens.map(({ id }) => id));
    expect(scored?.tokens.some(({ role }) => role === 'user')).toBe(true);
  });

  it('knows a continuation that is the greedy one', async () => {
    const grown = [...ids];
    for (let step = 0; step < 4; step++) {
      grown.push((await logits({ token_ids: grown, top: 1 })).inputs[0]?.positions[0]?.top[0]?.id as number);
    }
    const [own, other] = (await score({ inputs: [{ token_ids: grown }, { token_ids: ids }], count_from: [10, 5] }))
      .inputs;
    expect(own).toMatchObject({ counted: 4, greedy: true });
    expect(other?.greedy).toBe(false);
  });

  it.each(['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post', 'ln_final.hook_normalized'])(
    'compares with the unsteered model, over the whole vocabulary: an edit at %s',
    async (place) => {
      const steering = { edits: [edit(place)] };
      const answer = await score({ token_ids: ids, steering });
      const whole = async (steered: boolean) => {
        const body = { token_ids: ids, positions: 'all', top: 0, tokens: everything() };
        const [input] = (await logits({ ...body, ...(steered ? { steering } : {}) })).inputs;
        return input?.positions.map(({ tokens }) => Float32Array.from(tokens, ({ logit }) => logit)) ?? [];
      };
      const [p, q] = [await whole(true), await whole(false)];
      const [input] = answer.inputs;
      const expected = ids.slice(1).map((_, t) => {
        const [a, b] = [softmax(p[t] as Float32Array), softmax(q[t] as Float32Array)];
        return a.reduce((sum, one, id) => sum + one * Math.log(one / (b[id] as number)), 0);
      });
      expect(Math.max(...expected)).toBeGreaterThan(1e-3);
      const found = input?.tokens.map(({ kl }) => kl) ?? [];
      expect(found[0]).toBeNull();
      for (const [t, kl] of expected.entries()) expect(found[t + 1]).toBeCloseTo(kl, 5);
      expect(input?.kl?.mean).toBeCloseTo(expected.reduce((sum, kl) => sum + kl, 0) / 9, 5);
      expect(input?.kl?.max).toBeCloseTo(Math.max(...expected), 5);
      const [alone] = (await score({ token_ids: ids, steering, compare: false })).inputs;
      const [plain] = (await score({ token_ids: ids })).inputs;
      expect(input?.sum).toBeCloseTo(alone?.sum ?? Number.NaN, 3);
      expect(input?.unsteered?.sum).toBeCloseTo(plain?.sum ?? Number.NaN, 3);
      expect(alone?.kl).toBeUndefined();
      expect(answer.steering?.edits[0]?.tokens).toBe(10);
    },
  );

  it('finds no divergence where nothing is changed', async () => {
    const [input] = (await score({ token_ids: ids, steering: { edits: [edit('blocks.1.hook_resid_post', 0)] } }))
      .inputs;
    expect(input?.kl?.max).toBeLessThan(1e-9);
  });

  it.each([
    ['token_ids', { token_ids: [4] }, 400, /none counts/],
    ['inputs[1].token_ids', { inputs: [{ token_ids: ids }, { token_ids: [3] }] }, 400, /1 tokens/],
    ['count_from', { token_ids: ids, count_from: 10 }, 400, /none counts from position 10/],
    ['count_from', { inputs: [{ token_ids: ids }], count_from: [1, 2] }, 400, /2 positions and there are 1/],
    ['steering.edits[0].strength', { token_ids: ids, steering: { edits: [edit('hook_embed', 1e39)] } }, 422, /float32/],
  ])('names what it cannot do: %s', async (param, body, status, detail) => {
    expect(await refused('/api/v1/log-probabilities', body)).toMatchObject({
      ...{ status, param, detail: expect.stringMatching(detail) },
    });
  });
});

describe('the divergence of two rows of logits', () => {
  it('is that of their distributions, whatever is added to all logits of a row', () => {
    const p = Float32Array.of(1, 2, 3, -40);
    const q = Float32Array.of(0.5, -1, 2, 90);
    const [a, b] = [softmax(p), softmax(q)];
    const expected = a.reduce((sum, one, id) => sum + one * Math.log(one / (b[id] as number)), 0);
    expect(divergence(p, q)).toBeCloseTo(expected, 9);
    expect(
      divergence(
        p.map((one) => one + 300),
        q,
      ),
    ).toBeCloseTo(expected, 4);
    expect(divergence(p, p)).toBe(0);
  });

  it('does not mind tokens that have no weight', () => {
    expect(divergence(Float32Array.of(0, Number.NEGATIVE_INFINITY), Float32Array.of(0, 0))).toBeCloseTo(
      Math.log(2),
      12,
    );
  });
});

function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
