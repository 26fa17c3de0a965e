import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { activationsResponseSchema } from '../../routes/native/activation-schemas.ts';
import { type App, createApp } from '../../src/app.ts';
import { numberOfHalf } from '../harness/half.ts';
import { type ReadTensor, readSafetensors } from '../harness/read-safetensors.ts';
import { startTinyService, type TinyService, tinyWidth, writeTinySource } from '../harness/tiny-service.ts';

type Activations = z.infer<typeof activationsResponseSchema>;

const site = 'blocks.1.hook_resid_post';
/** Longer than a chunk. */
const long = Array.from({ length: 150 }, (_, at) => 3 + ((at * 37) % 90));
const short = long.slice(0, 9);

let tiny: TinyService;
let app: App;
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tiller-inspection-'));
  const source = writeTinySource(folder, 4);
  tiny = await startTinyService({ folder, flags: { source: [source] } });
  app = createApp(tiny.services);
});
afterAll(() => tiny.close());

async function post(path: string, body: object): Promise<Response> {
  return app.request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function activations(body: object): Promise<Activations['inputs']> {
  const response = await post('/api/v1/activations', { top_k_per_token: 4, ...body });
  expect(response.status).toBe(200);
  return ((await response.json()) as Activations).inputs;
}

async function taps(
  body: object,
): Promise<ReadonlyMap<string, ReadTensor> & { readonly metadata?: Record<string, string> }> {
  const response = await post('/api/v1/taps', body);
  if (response.status !== 200) throw new Error(await response.text());
  const { tensors, metadata } = readSafetensors(new Uint8Array(await response.arrayBuffer()));
  return Object.assign(tensors, { metadata });
}

const floats = (tensor: ReadTensor | undefined) => Array.from(tensor?.values ?? [], Number);
const refusal = async (path: string, body: object) => (await (await post(path, body)).json()) as object;

describe('taps', () => {
  it('are the same in a batch, alone, for chosen positions, and beside generation', async () => {
    const hook_points = [site, 'blocks.0.attn.hook_q', 'blocks.0.ln1.hook_scale'];
    const batch = await taps({ inputs: [{ token_ids: long }, { token_ids: short }], hook_points });
    expect(batch.get(`inputs.0.${site}`)).toMatchObject({ type: 'F32', shape: [150, tinyWidth] });
    expect(batch.get('inputs.1.blocks.0.attn.hook_q')?.shape[0]).toBe(9);
    expect(batch.get('inputs.1.blocks.0.ln1.hook_scale')?.shape).toEqual([9, 1]);
    expect(floats(batch.get('inputs.0.token_ids'))).toEqual(long);
    const alone = await taps({ token_ids: long, hook_points });
    expect(floats(alone.get(`inputs.0.${site}`))).toEqual(floats(batch.get(`inputs.0.${site}`)));

    const whole = floats(alone.get(`inputs.0.${site}`));
    const rows = (...positions: number[]) => positions.flatMap((p) => whole.slice(p * tinyWidth, (p + 1) * tinyWidth));
    const some = await taps({ token_ids: long, hook_points: [site], positions: [140, 3, 3] });
    expect(floats(some.get('inputs.0.positions'))).toEqual([3, 140]);
    expect(floats(some.get(`inputs.0.${site}`))).toEqual(rows(3, 140));
    const range = await taps({ token_ids: long, hook_points: [site], positions: { from: 126, to: 130 } });
    expect(floats(range.get(`inputs.0.${site}`))).toEqual(rows(126, 127, 128, 129));
    const last = await taps({ token_ids: long, hook_points: ['model.layers.1'], positions: 'last' });
    // named as the request names it
    expect(floats(last.get('inputs.0.model.layers.1'))).toEqual(rows(149));
  });

  it('of a reply are what the same tokens give as a prompt', async () => {
    const generation = { max_tokens: 6, ignore_eos: true };
    const reply = await taps({ token_ids: short, hook_points: [site], over: 'both', generation });
    const ids = floats(reply.get('inputs.0.token_ids'));
    expect(ids).toHaveLength(15);
    expect(floats(reply.get('inputs.0.positions'))).toHaveLength(14);
    const again = floats((await taps({ token_ids: ids.slice(0, -1), hook_points: [site] })).get(`inputs.0.${site}`));
    const found = floats(reply.get(`inputs.0.${site}`));
    expect(Math.max(...found.map((value, at) => Math.abs(value - (again[at] as number))))).toBeLessThan(1e-4);
    const generated = await taps({ token_ids: short, hook_points: [site], over: 'generated', generation });
    expect(floats(generated.get(`inputs.0.${site}`))).toEqual(found.slice(9 * tinyWidth));
    expect(JSON.parse(generated.metadata?.replies ?? '')).toMatchObject([{ finish_reason: 'length' }]);
  });

  it('of attention are [heads, tokens, keys], with nothing of keys that a token does not see', async () => {
    const names = ['blocks.1.attn.hook_pattern', 'blocks.1.attn.hook_attn_scores'];
    // two chunks, of which the first sees fewer keys
    const both = await taps({ token_ids: long, hook_points: names });
    const [pattern, scores] = names.map((name) => both.get(`inputs.0.${name}`));
    const heads = pattern?.shape[0] as number;
    expect(pattern?.shape).toEqual([heads, 150, 150]);
    const [shares, marks] = [floats(pattern), floats(scores)];
    for (let row = 0; row < heads * 150; row++) {
      const seen = (row % 150) + 1;
      const own = shares.slice(row * 150, (row + 1) * 150);
      expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
      expect(own.slice(seen).every((value) => value === 0)).toBe(true);
      expect(marks.slice(row * 150 + seen, (row + 1) * 150).every((value) => value === Number.NEGATIVE_INFINITY)).toBe(
        true,
      );
    }
    const one = await taps({ token_ids: long, hook_points: names.slice(0, 1), positions: [7, 149] });
    expect(one.get(`inputs.0.${names[0]}`)?.shape).toEqual([heads, 2, 150]);
    expect(floats(one.get(`inputs.0.${names[0]}`)).slice(0, 150)).toEqual(shares.slice(7 * 150, 8 * 150));
  });

  it('in half precision are the nearest halves', async () => {
    const [full, half] = [
      await taps({ token_ids: short, hook_points: [site] }),
      await taps({ token_ids: short, hook_points: [site], dtype: 'f16' }),
    ];
    expect(half.get(`inputs.0.${site}`)?.type).toBe('F16');
    const [exact, rounded] = [
      floats(full.get(`inputs.0.${site}`)),
      floats(half.get(`inputs.0.${site}`)).map(numberOfHalf),
    ];
    for (const [at, value] of exact.entries()) {
      expect(Math.abs((rounded[at] as number) - value)).toBeLessThanOrEqual(
        Math.max(Math.abs(value) * 2 ** -11, 2 ** -25),
      );
    }
    expect(half.metadata?.warnings).toBeUndefined();
  });

  it('come after the edits of their place', async () => {
    const data = Buffer.from(new Float32Array(tinyWidth).fill(1).buffer).toString('base64');
    const edits = [
      { vector: { hook_point: site, data }, mode: 'add', strength: 3, unit: 'raw', positions: { from: 2, to: 4 } },
    ];
    const plain = floats((await taps({ token_ids: short, hook_points: [site] })).get(`inputs.0.${site}`));
    const steered = await taps({ token_ids: short, hook_points: [site], steering: { edits } });
    const moved = floats(steered.get(`inputs.0.${site}`)).map((value, at) => value - (plain[at] as number));
    for (const [at, by] of moved.entries()) {
      const position = Math.floor(at / tinyWidth);
      expect(by).toBeCloseTo(position === 2 || position === 3 ? 3 : 0, 3);
    }
    expect(JSON.parse(steered.metadata?.steering ?? '')).toMatchObject({ edits: [{ tokens: 2 }] });
  });

  it.each([
    [
      { hook_points: ['blocks.9.hook_resid_post'] },
      { status: 404, code: 'hook_point_not_found', param: 'hook_points[0]' },
    ],
    [
      { hook_points: [site, 'blocks.1.hook_nothing'] },
      { status: 404, code: 'hook_point_not_found', param: 'hook_points[1]' },
    ],
    [{ hook_points: [site, 'model.layers.1'] }, { status: 400, code: 'invalid_request', param: 'hook_points[1]' }],
    [{ hook_points: [] }, { status: 400, code: 'invalid_request', param: 'hook_points' }],
    [
      { hook_points: [site], positions: [9] },
      { status: 400, code: 'invalid_request', param: 'positions' },
    ],
    [
      { hook_points: [site], positions: { from: 5, to: 5 } },
      { status: 400, code: 'invalid_request', param: 'positions' },
    ],
    [
      { hook_points: [site], positions: { from: 0, to: 1e12 } },
      { status: 400, code: 'invalid_request', param: 'positions' },
    ],
    [
      { hook_points: [site], positions: [1], over: 'both' },
      { status: 400, code: 'invalid_request', param: 'positions' },
    ],
    [
      { hook_points: [site], dtype: 'bf16' },
      { status: 400, code: 'invalid_request', param: 'dtype' },
    ],
  ])('refuse %j', async (body, expected) => {
    expect(await refusal('/api/v1/taps', { token_ids: short, ...body })).toMatchObject(expected);
  });

  it('beyond their budget are refused before anything is read, exactly at it they are not', async () => {
    const bytes = 9 * tinyWidth * 4;
    const before = tiny.ready.model.executor.statistics().runs;
    const body = { token_ids: short, hook_points: [site], max_bytes: bytes - 1 };
    expect(await refusal('/api/v1/taps', body)).toMatchObject({
      status: 422,
      code: 'answer_too_large',
      param: 'hook_points',
    });
    expect(tiny.ready.model.executor.statistics().runs).toBe(before);
    expect((await taps({ ...body, max_bytes: bytes })).size).toBeGreaterThan(1);
    const html = await app.request('/api/v1/taps', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(body),
    });
    expect(html.status).toBe(406);
  });
});

describe('activations', () => {
  it('are what the dictionary makes of the taps, token by token and over the whole', async () => {
    const [source] = tiny.ready.registry.sources;
    const stream = Float32Array.from(
      floats((await taps({ token_ids: long, hook_points: [site] })).get(`inputs.0.${site}`)),
    );
    const exact = source?.dictionary.encode(stream) ?? new Float32Array();
    const [input] = await activations({ token_ids: long });
    const tokens = input?.sources[0]?.tokens ?? [];
    expect(tokens).toHaveLength(150);
    expect(tokens[0]).toEqual([]);
    for (let t = 1; t < 150; t++) {
      const fires = [0, 1].flatMap((index) => ((exact[t * 2 + index] as number) > 0 ? [index] : []));
      expect(tokens[t]?.map(({ index }) => index).toSorted()).toEqual(fires);
      for (const { index, value } of tokens[t] ?? []) expect(value).toBeCloseTo(exact[t * 2 + index] as number, 3);
    }
    for (const feature of input?.sources[0]?.features ?? []) {
      const own = Array.from({ length: 149 }, (_, at) => exact[(at + 1) * 2 + feature.index] as number);
      const sum = own.reduce((total, value) => total + value, 0);
      expect(feature.sum).toBeCloseTo(sum, 1);
      expect(feature.mean).toBeCloseTo(sum / 149, 3);
      expect(feature.max).toBeCloseTo(Math.max(...own), 3);
      expect(feature.count).toBe(own.filter((value) => value > 0).length);
      expect(feature.frequency).toBeCloseTo(feature.count / 149, 6);
      expect(feature.last).toBeCloseTo(own.at(-1) as number, 3);
      expect(feature.position).toBe(own.indexOf(Math.max(...own)) + 1);
    }
  });

  it('of chosen features name them all, silent ones too, and sinks count where they are asked for', async () => {
    const [chosen] = await activations({ token_ids: short, features: ['tiny/1'], top_k_per_text: 0 });
    expect(chosen?.sources[0]?.features.map(({ index }) => index)).toEqual([1]);
    expect(chosen?.sources[0]?.tokens.flat().every(({ index }) => index === 1)).toBe(true);
    const [sinks] = await activations({ token_ids: short, include_sinks: true });
    expect(sinks?.sources[0]).toMatchObject({ counted_tokens: 9, ignored_positions: [] });
  });

  it('of a reply are what the same tokens give as a prompt', async () => {
    const body = { token_ids: short, over: 'generated', generation: { max_tokens: 6, ignore_eos: true } };
    const [reply] = await activations(body);
    const ids = reply?.tokens.map(({ id }) => id) ?? [];
    const [again] = await activations({ token_ids: ids.slice(0, -1) });
    expect(reply?.sources[0]?.tokens).toHaveLength(5);
    const [found, expected] = [reply?.sources[0]?.tokens.flat(), again?.sources[0]?.tokens.slice(9).flat()];
    expect(found?.map(({ index }) => index)).toEqual(expected?.map(({ index }) => index));
    for (const [at, { value }] of found?.entries() ?? []) expect(value).toBeCloseTo(expected?.[at]?.value as number, 3);
  });

  it('refuse features and sources that are not there, with the item', async () => {
    const path = '/api/v1/activations';
    const of = (body: object) => refusal(path, { token_ids: short, ...body });
    expect(await of({ features: ['tiny/0', 'tiny/2'] })).toMatchObject({
      code: 'feature_not_found',
      param: 'features[1]',
    });
    expect(await of({ features: ['tony/0'] })).toMatchObject({ code: 'source_not_found', param: 'features[0]' });
    expect(await of({ sources: ['tony'] })).toMatchObject({ code: 'source_not_found', param: 'sources' });
    expect(await of({ sources: ['tiny', 'tiny-llama/tiny'] })).toMatchObject({
      code: 'invalid_request',
      param: 'sources',
    });
  });
});
