import { describe, expect, it } from 'vitest';
import { TillerError } from '../../engine/core/index.ts';
import type { FakeOptions } from '../harness/fake-services.ts';
import { fakeApp } from '../harness/http.ts';

const chat = '/v1/chat/completions';
const completions = '/v1/completions';
const messages = [{ role: 'user', content: 'hi' }];
const feature = 'toy-chat/3-res/1';
const steered = (...edits: unknown[]) => ({ messages, steering: { edits } });
const base64 = (...floats: number[]) => Buffer.from(new Float32Array(floats).buffer).toString('base64');
const inline = (data: string, hook_point = 'blocks.3.hook_resid_post') =>
  steered({ vector: { hook_point, data }, mode: 'ablate' });

interface Row {
  readonly what: string;
  readonly path?: string;
  readonly body: unknown;
  readonly status: number;
  readonly code: string;
  readonly param?: string;
  /** First of the suggestions. */
  readonly nearest?: string;
  readonly message?: RegExp;
  readonly options?: FakeOptions;
}

const malformed: Row[] = [
  {
    what: 'malformed JSON',
    body: '{"messages": [1,]}',
    status: 400,
    code: 'invalid_json',
    message: /position 16 \(line 1, column 17\)/,
  },
  { what: 'an empty body', body: '', status: 400, code: 'invalid_json', message: /ends too early at position 0/ },
  {
    what: 'a field that stands twice',
    body: `{"messages": [{"role": "user", "content": "hi"}], "steering": {"edits": []}, "steering": null}`,
    status: 400,
    code: 'invalid_request',
    param: 'steering',
  },
  {
    what: 'a field that stands twice, deep inside',
    body: '{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
    status: 400,
    code: 'invalid_request',
    param: 'content',
  },
  { what: 'a body that is no object', body: '[]', status: 400, code: 'invalid_request' },
  { what: 'a missing field', body: {}, status: 400, code: 'invalid_request', param: 'messages' },
  {
    what: 'a wrong type',
    body: { messages: [{ role: 'user', content: 3 }] },
    status: 400,
    code: 'invalid_request',
    param: 'messages[0].content',
  },
  {
    what: 'a wrong type of prompt',
    path: completions,
    body: { prompt: [1, 'a'] },
    status: 400,
    code: 'invalid_request',
    param: /^prompt/.source,
  },
  {
    what: 'top_logprobs without logprobs',
    body: { messages, top_logprobs: 2 },
    status: 400,
    code: 'invalid_request',
    param: 'top_logprobs',
  },
  {
    what: 'a number out of range',
    body: { messages, temperature: 3 },
    status: 400,
    code: 'invalid_request',
    param: 'temperature',
  },
  {
    what: 'an unknown role',
    body: { messages: [{ role: 'usr', content: '' }] },
    status: 400,
    code: 'invalid_request',
    param: 'messages[0].role',
    nearest: 'user',
  },
  {
    what: 'a top-level misspelling',
    body: { messages, temprature: 1 },
    status: 400,
    code: 'unknown_field',
    param: 'temprature',
    nearest: 'temperature',
  },
  {
    what: 'a top-level field in camel case',
    body: { messages, maxTokens: 1 },
    status: 400,
    code: 'unknown_field',
    param: 'maxTokens',
    nearest: 'max_tokens',
  },
  {
    what: 'an abbreviated steering',
    body: { messages, steer: {} },
    status: 400,
    code: 'unknown_field',
    param: 'steer',
    nearest: 'steering',
  },
  {
    what: 'an unknown field inside steering',
    body: { messages, steering: { edit: [] } },
    status: 400,
    code: 'unknown_field',
    param: 'steering.edit',
    nearest: 'edits',
  },
  {
    what: 'an unknown field inside an edit',
    body: steered({ featur: feature, mode: 'add', strength: 1 }),
    status: 400,
    code: 'unknown_field',
    param: 'steering.edits[0].featur',
    nearest: 'feature',
  },
  {
    what: 'an unknown field inside a vector',
    body: steered({ vector: { hookpoint: 'x', data: 'AAAA' }, mode: 'ablate' }),
    status: 400,
    code: 'unknown_field',
    param: 'steering.edits[0].vector.hookpoint',
    nearest: 'hook_point',
  },
  {
    what: 'an unknown field inside positions',
    body: steered({ feature, mode: 'ablate', positions: { from: 1, until: 2 } }),
    status: 400,
    code: 'unknown_field',
    param: 'steering.edits[0].positions.until',
  },
  {
    what: 'an unknown mode',
    body: steered({ feature, mode: 'ad', strength: 1 }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].mode',
    nearest: 'add',
  },
  {
    what: 'unknown positions',
    body: steered({ feature, mode: 'ablate', positions: 'generatd' }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].positions',
    nearest: 'generated',
  },
  {
    what: 'an empty range',
    body: steered({ feature, mode: 'ablate', positions: { from: 3, to: 3 } }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].positions',
  },
  {
    what: "another mode's number",
    body: steered({ feature, mode: 'add', value: 1 }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].value',
    nearest: 'strength',
  },
  {
    what: 'a number for ablate',
    body: steered({ feature, mode: 'ablate', factor: 0 }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].factor',
  },
  {
    what: 'no number',
    body: steered({ feature, mode: 'scale' }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].factor',
  },
  {
    what: 'no target',
    body: steered({ mode: 'ablate' }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0]',
  },
  {
    what: 'two targets',
    body: steered({ feature, vector: 'v', mode: 'ablate' }),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0]',
  },
  {
    what: 'a rule without a condition',
    body: { messages, steering: { rules: [{ when: {}, stop: true }] } },
    status: 400,
    code: 'invalid_request',
    param: 'steering.rules[0].when',
  },
  {
    what: 'a rule with a misspelt field',
    body: { messages, steering: { rules: [{ when: { feature: '1', above: 1 }, latched: true }] } },
    status: 400,
    code: 'unknown_field',
    param: 'steering.rules[0].latched',
  },
  {
    what: 'an edit of a rule with another mode’s number',
    body: {
      messages,
      steering: { rules: [{ when: { feature: '1', above: 1 }, do: [{ feature: '1', mode: 'add', value: 1 }] }] },
    },
    status: 400,
    code: 'invalid_request',
    param: 'steering.rules[0].do[0].value',
  },
  {
    what: 'a vector that is no base64',
    body: inline('not base64!'),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].vector.data',
  },
  {
    what: 'a vector of 3 bytes',
    body: inline('AAAA'),
    status: 400,
    code: 'invalid_request',
    param: 'steering.edits[0].vector.data',
  },
  {
    what: 'a token id beyond the vocabulary',
    path: completions,
    body: { prompt: [1, 259] },
    status: 400,
    code: 'invalid_request',
    param: 'prompt[1]',
  },
  {
    what: 'a nested token id beyond it',
    path: completions,
    body: { prompt: [[1], [2, 999]] },
    status: 400,
    code: 'invalid_request',
    param: 'prompt[1][1]',
  },
  {
    what: 'an empty prompt',
    path: completions,
    body: { prompt: '' },
    status: 400,
    code: 'invalid_request',
    param: 'prompt',
  },
  {
    what: 'a stop token beyond the vocabulary',
    body: { messages, stop_token_ids: [999] },
    status: 400,
    code: 'invalid_request',
    param: 'stop_token_ids[0]',
  },
  {
    what: 'a bias beyond the vocabulary',
    body: { messages, logit_bias: { 999: 1 } },
    status: 400,
    code: 'invalid_request',
    param: 'logit_bias.999',
  },
  {
    what: 'a bias on no token',
    body: { messages, logit_bias: { cat: 1 } },
    status: 400,
    code: 'invalid_request',
    param: 'logit_bias.cat',
  },
  {
    what: '17 stop strings',
    body: { messages, stop: Array.from('abcdefghijklmnopq') },
    status: 400,
    code: 'invalid_request',
    param: 'stop',
  },
  {
    what: '21 log-probabilities',
    path: completions,
    body: { prompt: 'a', logprobs: 21 },
    status: 400,
    code: 'invalid_request',
    param: 'logprobs',
  },
  {
    what: 'min_tokens over max_tokens',
    body: { messages, min_tokens: 5, max_tokens: 4 },
    status: 400,
    code: 'invalid_request',
    param: 'min_tokens',
  },
  {
    what: 'two profiles',
    body: { model: 'toy-chat@pirate', messages, steering: { profile: 'pirate:1' } },
    status: 400,
    code: 'invalid_request',
    param: 'steering.profile',
  },
  {
    what: 'two ways of continuing',
    body: { messages, continue_final_message: true, add_generation_prompt: true },
    status: 400,
    code: 'invalid_request',
    param: 'continue_final_message',
  },
];

const unsupported: Row[] = [
  ...Object.entries({
    tools: [{ type: 'function' }],
    tool_choice: 'auto',
    functions: [{ name: 'f' }],
    response_format: { type: 'json_object' },
    audio: { voice: 'x' },
    modalities: ['text', 'audio'],
    skip_special_tokens: false,
    guided_json: {},
    use_beam_search: true,
  }).map(
    ([field, value]): Row => ({
      what: field,
      body: { messages, [field]: value },
      status: 400,
      code: 'unsupported',
      param: field,
    }),
  ),
  {
    what: 'suffix',
    path: completions,
    body: { prompt: 'a', suffix: 'b' },
    status: 400,
    code: 'unsupported',
    param: 'suffix',
  },
  {
    what: 'best_of',
    path: completions,
    body: { prompt: 'a', best_of: 2 },
    status: 400,
    code: 'unsupported',
    param: 'best_of',
  },
  {
    what: 'an image',
    body: { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
    status: 400,
    code: 'unsupported',
    param: 'messages[0].content[0].type',
  },
  {
    what: 'a tool message',
    body: { messages: [{ role: 'tool', content: 'x' }] },
    status: 400,
    code: 'unsupported',
    param: 'messages[0].role',
  },
  {
    what: 'tool calls',
    body: { messages: [{ role: 'assistant', content: null, tool_calls: [{}] }] },
    status: 400,
    code: 'unsupported',
    param: 'messages[0].tool_calls',
  },
  {
    what: 'steering of one message',
    body: { messages: [{ role: 'user', content: 'x', steering: { edits: [] } }] },
    status: 400,
    code: 'unsupported',
    param: 'messages[0].steering',
  },
  {
    what: 'a model without a chat template',
    body: { messages },
    status: 400,
    code: 'unsupported',
    param: 'messages',
    options: { chatTemplate: null },
  },
];

const unknown: Row[] = [
  {
    what: 'model',
    body: { model: 'toy-chta', messages },
    status: 404,
    code: 'model_not_found',
    param: 'model',
    nearest: 'toy-chat',
  },
  {
    what: 'profile of the model',
    body: { model: 'toy-chat@pirat', messages },
    status: 404,
    code: 'profile_not_found',
    param: 'model',
    nearest: 'pirate',
  },
  {
    what: 'profile',
    body: { messages, steering: { profile: 'pirat' } },
    status: 404,
    code: 'profile_not_found',
    param: 'steering.profile',
    nearest: 'pirate',
  },
  {
    what: 'source',
    body: steered({ feature: 'toy-chat/4-res/1', mode: 'ablate' }),
    status: 404,
    code: 'source_not_found',
    param: 'steering.edits[0].feature',
  },
  {
    what: 'feature',
    body: steered({ feature: 'toy-chat/3-res/8', mode: 'ablate' }),
    status: 404,
    code: 'feature_not_found',
    param: 'steering.edits[0].feature',
  },
  {
    what: 'vector',
    body: steered({ vector: 'nobody', mode: 'ablate' }),
    status: 404,
    code: 'vector_not_found',
    param: 'steering.edits[0].vector',
  },
  {
    what: 'hook point',
    body: inline(base64(1, 0, 0, 0), 'blocks.3.hook_resid_pst'),
    status: 404,
    code: 'hook_point_not_found',
    param: 'steering.edits[0].vector.hook_point',
    nearest: 'blocks.3.hook_resid_post',
  },
];

const inapplicable: Row[] = [
  {
    what: 'a vector of the wrong width',
    body: inline(base64(1, 2)),
    status: 422,
    code: 'edit_not_applicable',
    param: 'steering.edits[0].vector.data',
  },
  {
    what: 'a vector with NaN',
    body: inline(base64(1, Number.NaN, 0, 0)),
    status: 422,
    code: 'edit_not_applicable',
    param: 'steering.edits[0].vector.data',
  },
  {
    what: 'an infinite strength',
    body: `{"messages": [{"role": "user", "content": "a"}], "steering": {"edits": [{"feature": "${feature}", "mode": "add", "strength": 1e999}]}}`,
    status: 422,
    code: 'edit_not_applicable',
    param: 'steering.edits[0].strength',
  },
  {
    what: 'a strength beyond float32',
    body: steered({ feature, mode: 'add', strength: 1e300 }),
    status: 422,
    code: 'edit_not_applicable',
    param: 'steering.edits[0].strength',
  },
  {
    what: 'a unit without statistics',
    body: steered({ feature, mode: 'add', strength: 1, unit: 'stream_norm' }),
    status: 422,
    code: 'statistics_missing',
    param: 'steering.edits[0].unit',
  },
];

const tooMuch: Row[] = [
  {
    what: 'prompt and max tokens over the context',
    body: { messages, max_tokens: 500 },
    status: 400,
    code: 'context_length_exceeded',
    param: 'max_tokens',
    message: /512/,
  },
  {
    what: 'the same under the newer name',
    body: { messages, max_completion_tokens: 500 },
    status: 400,
    code: 'context_length_exceeded',
    param: 'max_completion_tokens',
  },
  {
    what: 'a prompt over the context',
    path: completions,
    body: { prompt: 'a'.repeat(513) },
    status: 400,
    code: 'context_length_exceeded',
    param: 'prompt',
    message: /512/,
  },
  {
    what: 'a body over the limit',
    body: { messages: [{ role: 'user', content: 'a'.repeat(70_000) }] },
    status: 413,
    code: 'body_too_large',
    message: /65536 bytes/,
  },
  {
    what: 'too many edits',
    body: steered(...Array.from({ length: 5 }, () => ({ feature, mode: 'ablate' }))),
    status: 400,
    code: 'too_many_edits',
    param: 'steering.edits',
    message: /limit of 4/,
  },
  {
    what: 'too many choices',
    body: { messages, n: 9 },
    status: 400,
    code: 'invalid_request',
    param: 'n',
    message: /limit is 8/,
  },
  {
    what: 'more choices than can ever run and wait together',
    body: { messages, n: 4 },
    status: 400,
    code: 'invalid_request',
    param: 'n',
    message: /limit is 3 a request: ask for fewer/,
    options: { capacity: { rows: 1, queueLimit: 2 } },
  },
  {
    what: 'a longer reply than the limit',
    body: { messages, max_tokens: 21 },
    status: 400,
    code: 'invalid_request',
    param: 'max_tokens',
    message: /'max_tokens' is 21; a reply here may have 20 tokens at most/,
    options: { limits: { maxReplyTokens: 20 } },
  },
  {
    what: 'too many prompts',
    path: completions,
    body: { prompt: ['a', 'b', 'c'], n: 3 },
    status: 400,
    code: 'invalid_request',
    param: 'prompt',
  },
];

describe.each([
  ['malformed', malformed],
  ['unsupported', unsupported],
  ['unknown', unknown],
  ['inapplicable', inapplicable],
  ['too much', tooMuch],
])('%s', (_, rows) => {
  it.each(rows)('$what: $status $code', async ({ path, body, status, code, param, nearest, message, options }) => {
    const fake = fakeApp(options);
    for (const stream of [false, true]) {
      const sent = typeof body === 'object' && body !== null && !Array.isArray(body) ? { ...body, stream } : body;
      const response = await fake.post(path ?? chat, sent);
      const { error } = (await response.json()) as {
        error: { message: string; param: string | null; code: string; suggestions?: string[] };
      };
      expect({ status: response.status, code: error.code }).toEqual({ status, code });
      if (param !== undefined) expect(error.param).toMatch(param.startsWith('^') ? new RegExp(param) : exactly(param));
      if (nearest !== undefined) expect(error.suggestions?.[0]).toBe(nearest);
      if (message !== undefined) expect(error.message).toMatch(message);
    }
    expect(fake.engine.requests).toEqual([]);
  });
});

const exactly = (text: string) => new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);

describe('a full queue', () => {
  it('is 429 with Retry-After, and stops the choices that were admitted', async () => {
    let admitted = 0;
    const fake = fakeApp({
      admit: () => {
        admitted++;
        if (admitted > 2) throw new TillerError('queue_full', 'The queue holds 2.', { retryAfterSeconds: 7.2 });
      },
    });
    const response = await fake.post(chat, { messages, n: 3 });
    expect(response.status).toBe(429);
    expect(response.headers.get('Retry-After')).toBe('8');
    expect(fake.engine.requests).toHaveLength(2);
    expect(fake.engine.requests.every(({ signal }) => signal?.aborted)).toBe(true);
    expect(fake.gone).toEqual([]);
  });

  it('leaves running requests alone', async () => {
    const fake = fakeApp({
      admit: (request) => {
        if (request.sampling.seed === 2) throw new TillerError('queue_full', 'Full.');
      },
    });
    const [running, refused] = await Promise.all([
      fake.post(chat, { messages, seed: 1 }),
      fake.post(chat, { messages, seed: 2 }),
    ]);
    expect([running.status, refused.status]).toEqual([200, 429]);
    expect(await running.text()).toContain('Hi 🌍, seed 1.');
  });
});

describe('the wrong address', () => {
  it('names the nearest routes', async () => {
    const response = await fakeApp().post('/v1/chat/completion', {});
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      error: { code: 'route_not_found', suggestions: ['/v1/chat/completions', '/v1/completions'] },
    });
    // as many letters from /detokenize
    const prefixed = await fakeApp().post('/v1/tokenize', {});
    expect(await prefixed.json()).toHaveProperty('error.suggestions.0', '/tokenize');
  });

  it('names the methods that a path takes', async () => {
    const response = await fakeApp().get(chat);
    expect(response.status).toBe(405);
    expect(response.headers.get('Allow')).toBe('POST');
    expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
  });

  it('is a problem document outside the OpenAI dialect', async () => {
    const response = await fakeApp().get('/api/v1/feature/search');
    expect(response.headers.get('Content-Type')).toBe('application/problem+json');
    const problem = (await response.json()) as { suggestions: string[] };
    expect(problem).toMatchObject({
      type: 'urn:tiller:problem:route_not_found',
      status: 404,
      code: 'route_not_found',
    });
    expect(problem.suggestions[0]).toBe('/api/v1/features/search');
  });

  it('is 415 for another media type', async () => {
    const response = await fakeApp().post(chat, '{}', { 'Content-Type': 'text/plain' });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ error: { code: 'unsupported_media_type' } });
  });
});

describe('an error nobody expected', () => {
  it('is logged, not told', async () => {
    const secret = new TypeError('Cannot read /home/someone/secret');
    const fake = fakeApp({
      admit: () => {
        throw secret;
      },
    });
    const response = await fake.post(chat, { messages });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(fake.unexpected).toEqual([secret]);
  });
});
