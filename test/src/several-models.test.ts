import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createMetrics } from '../../src/metrics/create-metrics.ts';
import { createModelPool } from '../../src/models/create-model-pool.ts';
import { measureModel, openModel } from '../../src/open-model.ts';
import { AppServices, limitsOf } from '../../src/services.ts';
import { familyPath } from '../harness/families.ts';

const fixtures = resolve(import.meta.dirname, '../fixtures');
let folder: string;
const llama = () => join(folder, 'tiny-llama');
const closers: (() => Promise<void>)[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-several-'));
  cpSync(join(fixtures, 'tiny-llama', 'f32'), llama(), { recursive: true });
  // weights that end too early
  cpSync(familyPath('qwen3'), join(folder, 'torn'), { recursive: true });
  const weights = join(folder, 'torn', 'model.safetensors');
  writeFileSync(weights, readFileSync(weights).subarray(0, -1000));
});

afterAll(async () => {
  for (const close of closers) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** The service over several tiny models, as src/serve.ts puts it together, with nothing loaded yet. */
async function start(models: readonly string[], flags: Readonly<Record<string, unknown>> = {}) {
  const config = loadConfig(
    {
      model: models,
      cacheDir: join(folder, 'cache'),
      warmUp: 'none',
      operators: 'onnxruntime',
      threads: '1',
      maxRows: '2',
      keyValueBytes: '1MB',
      ...flags,
    },
    {},
  );
  const metrics = createMetrics(() => pool.loaded().map(({ model }) => model));
  const services = new AppServices({
    version: 'test',
    limits: limitsOf(config),
    metrics: metrics.services,
    requests: (id) => metrics.of(id).requests,
  });
  const opened: string[] = [];
  const pool = await createModelPool(config, {
    open: async (one, signal) => {
      opened.push(one.model);
      return services.served(await openModel(one, { signal, observe: (id) => metrics.of(id).observer }));
    },
    measure: (one, signal) => measureModel(one, { signal }),
  });
  services.offer(pool);
  closers.push(() => pool.close());
  const app = createApp(services);
  const send = async (method: string, path: string, body?: unknown) => {
    const response = await app.request(path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, json, text, retryAfter: response.headers.get('Retry-After') };
  };
  const complete = (model: string | null, rest: object = {}) =>
    send('POST', '/v1/completions', {
      ...(model ? { model } : {}),
      prompt: [5, 6, 7],
      max_tokens: 4,
      temperature: 0,
      ...rest,
    });
  const states = async () => {
    const { data } = (await send('GET', '/v1/models')).json as { data: { id: string; state: string }[] };
    return Object.fromEntries(data.map(({ id, state }) => [id, state]));
  };
  return { config, pool, opened, send, complete, states };
}

const gpt2 = familyPath('gpt2');
const qwen3 = familyPath('qwen3');

describe('several models in one process', () => {
  it('answer side by side, each loaded once by the first requests for it', async () => {
    const { pool, complete, send, states, opened } = await start([llama(), gpt2]);
    expect((await send('GET', '/readyz')).status).toBe(503);
    await pool.load('tiny-llama');
    expect((await send('GET', '/readyz')).status).toBe(200);
    expect(await states()).toEqual({ 'tiny-llama': 'loaded', gpt2: 'not_loaded' });
    expect((await send('GET', '/api/v1/models/gpt2/hook-points')).json).toMatchObject({
      code: 'not_ready',
      param: 'model',
    });

    const answers = await Promise.all([complete('gpt2'), complete('gpt2'), complete('tiny-llama'), complete(null)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.map(({ json }) => json.model)).toEqual(['gpt2', 'gpt2', 'tiny-llama', 'tiny-llama']);
    expect(opened).toEqual([llama(), gpt2]);
    const [a, b] = answers.map(({ json }) => (json.choices as { text: string }[])[0]?.text);
    expect(a).toBe(b);

    const listed = (await send('GET', '/api/v1/models/gpt2/hook-points')).json as { hook_points: { name: string }[] };
    expect(listed.hook_points.map(({ name }) => name)).toContain('hook_pos_embed');
    const { text } = await send('GET', '/metrics');
    for (const id of ['gpt2', 'tiny-llama']) {
      expect(text).toMatch(new RegExp(`^vllm:generation_tokens_total\\{model_name="${id}",engine="0"\\} 8$`, 'm'));
    }
  });

  it('are steered each at its own hook points, by any name of them', async () => {
    const { pool, complete } = await start([llama(), gpt2]);
    await pool.load('tiny-llama');
    const direction = (floats: number) => Buffer.from(new Float32Array(floats).fill(3).buffer).toString('base64');
    const steer = (hook_point: string, floats: number) => ({
      steering: { edits: [{ vector: { hook_point, data: direction(floats) }, mode: 'add', strength: 5, unit: 'raw' }] },
    });
    const refused = await complete('gpt2', steer('transformer.h.0.mlp', 3));
    expect(refused.status).toBe(422);
    const width = Number(/ of this model is (\d+) wide/.exec(refused.text)?.[1]);
    const steered = await complete('gpt2', steer('transformer.h.0.mlp', width));
    expect(steered.json).toMatchObject({ steering: { edits: [{ hook_point: 'blocks.0.mlp.hook_out', tokens: 5 }] } });
    const wide = await complete('gpt2', steer('blocks.0.mlp.hook_post', 1));
    const inner = Number(/hook_post of this model is (\d+) wide/.exec(wide.text)?.[1]);
    expect(inner).toBeGreaterThan(width);
    expect((await complete('gpt2', steer('blocks.0.mlp.hook_post', inner))).status).toBe(200);
    expect((await complete('tiny-llama', steer('model.layers.7', width))).json).toMatchObject({
      error: { code: 'hook_point_not_found', param: 'steering.edits[0].vector.hook_point' },
    });
  });

  it('give way to each other within the budget, and come back', async () => {
    const one = await start([llama(), gpt2, qwen3]);
    const sizes = await Promise.all([llama(), gpt2, qwen3].map((model) => measureModel({ ...one.config, model })));
    const budget = Math.max(...sizes) + Math.min(...sizes) - 1;
    const { pool, complete, states } = await start([llama(), gpt2, qwen3], { memoryBudgetBytes: String(budget) });
    await pool.load('tiny-llama');
    const first = await complete('tiny-llama');
    expect(first.status).toBe(200);
    expect((await complete('gpt2')).status).toBe(200);
    expect((await complete('qwen3')).status).toBe(200);
    expect((await states()).qwen3).toBe('loaded');
    expect(Object.values(await states()).filter((state) => state === 'loaded').length).toBeLessThan(3);
    const again = await complete('tiny-llama');
    expect((again.json.choices as unknown[])[0]).toEqual((first.json.choices as unknown[])[0]);
  });

  it('are refused with 503 while those in use leave no room', async () => {
    const { pool, complete, send } = await start([llama(), gpt2], { memoryBudgetBytes: '3MB' });
    const held = await pool.lease('tiny-llama').catch((error: Error) => error);
    if (held instanceof Error) throw held;
    const refused = await complete('gpt2');
    expect(refused).toMatchObject({ status: 503, retryAfter: '10' });
    expect(refused.json).toMatchObject({
      error: {
        code: 'model_unavailable',
        param: 'model',
        message: expect.stringContaining('tiny-llama, which has running'),
      },
    });
    expect((await send('POST', '/api/v1/models/tiny-llama/unload')).status).toBe(409);
    held.release();
    expect((await complete('gpt2')).status).toBe(200);
  });

  it('leave no trace of one that cannot be loaded', async () => {
    const torn = join(folder, 'torn');
    const { pool, complete, send } = await start([llama(), torn]);
    await pool.load('tiny-llama');
    const before = await complete('tiny-llama');
    const refused = await complete('torn');
    expect(refused.status).toBe(503);
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
    expect(refused.json).toMatchObject({
      error: { code: 'model_unavailable', message: expect.stringMatching(/^'torn' could not be loaded: ./) },
    });
    const { not_loaded } = (await send('GET', '/api/v1/models')).json as { not_loaded: unknown[] };
    expect(not_loaded).toEqual([{ id: 'torn', state: 'failed', reason: expect.stringMatching(/./) }]);
    expect((await complete('tiny-llama')).json.choices).toEqual(before.json.choices);
    expect((await send('GET', '/readyz')).status).toBe(200);
  });

  it('give everything back when they are unloaded', async () => {
    const { pool, send, complete } = await start([llama(), gpt2]);
    await pool.load('tiny-llama');
    const cycle = async () => {
      expect((await send('POST', '/api/v1/models/gpt2/load')).json).toEqual({
        id: 'gpt2',
        state: 'loaded',
        reason: null,
      });
      expect((await complete('gpt2')).status).toBe(200);
      expect((await send('POST', '/api/v1/models/gpt2/unload')).json).toEqual({
        id: 'gpt2',
        state: 'not_loaded',
        reason: null,
      });
    };
    const mapped = () =>
      process.platform === 'linux'
        ? readFileSync('/proc/self/maps', 'utf8')
            .split('\n')
            .filter((line) => line.includes(folder)).length
        : 0;
    for (let i = 0; i < 3; i++) await cycle();
    const maps = mapped();
    const resident = process.memoryUsage().rss;
    for (let i = 0; i < 10; i++) await cycle();
    expect(mapped()).toBe(maps);
    expect(process.memoryUsage().rss - resident).toBeLessThan(64e6);
  });
});

describe('sources of several models', () => {
  /** An SAE of two features on a stream 64 wide, that says whose it is. */
  const sourceOf = (model: string) => {
    const path = join(folder, `sae-of-${model}`);
    mkdirSync(path, { recursive: true });
    const cfg = JSON.parse(readFileSync(join(fixtures, 'tiny-sae/standard-v6/cfg.json'), 'utf8'));
    writeFileSync(join(path, 'cfg.json'), JSON.stringify({ ...cfg, d_in: 64, d_sae: 2 }));
    const shapes = { W_enc: [64, 2], W_dec: [2, 64], b_enc: [2], b_dec: [64] };
    let offset = 0;
    const entries = Object.entries(shapes).map(([name, shape]) => {
      const begin = offset;
      offset += 4 * shape.reduce((product, size) => product * size, 1);
      return [name, { dtype: 'F32', shape, data_offsets: [begin, offset] }];
    });
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const values = Buffer.from(new Float32Array(offset / 4).fill(0.125).buffer);
    writeFileSync(join(path, 'sae_weights.safetensors'), Buffer.concat([length, header, values]));
    writeFileSync(join(path, 'source.json'), JSON.stringify({ id: `${model}/tiny`, model }));
    return path;
  };

  it('go to the model that each names', async () => {
    const { pool, send, complete } = await start([gpt2, llama()], { source: [sourceOf('tiny-llama')] });
    await pool.load('gpt2');
    await pool.load('tiny-llama');
    const { models } = (await send('GET', '/api/v1/models')).json as { models: { id: string; sources: string[] }[] };
    expect(models.map(({ id, sources }) => [id, sources])).toEqual([
      ['gpt2', []],
      ['tiny-llama', ['tiny-llama/tiny']],
    ]);
    const feature = { steering: { edits: [{ feature: 'tiny-llama/tiny/1', mode: 'add', strength: 1, unit: 'raw' }] } };
    expect((await complete('tiny-llama', feature)).status).toBe(200);
    expect((await complete('gpt2', feature)).status).toBe(404);
    expect((await send('GET', '/api/v1/features/tiny-llama/tiny/1')).status).toBe(200);
  });

  it('are refused by name where their model is not served', async () => {
    await expect(start([gpt2, llama()], { source: [sourceOf('qwen3')] })).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/source of qwen3, which is not served \(gpt2, tiny-llama are\)/),
    });
  });
});
