import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floats, goldenModel } from '../harness/golden.ts';
import { sseData } from '../harness/http.ts';
import { type Answer, type RealService, startRealService, until } from '../harness/real-service.ts';

/** The whole service over the default model: HTTP in, HTTP out. One server for the file. */
let service: RealService;
let client: OpenAI;
beforeAll(async () => {
  service = await startRealService({ maxRows: '16', queueLimit: '4', maxBodyBytes: '1000000' });
  client = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
afterAll(() => service.close());

const model = 'smollm2-135m-instruct';
const source = `${model}/17-res-4k`;
const chat = '/v1/chat/completions';
const completions = '/v1/completions';
const messages = [{ role: 'user' as const, content: 'Tell me about your day.' }];
const prompt = 'The weather today is';
const direction = (seed: number, width = 576) => {
  const values = Float32Array.from({ length: width }, (_, index) => Math.sin(seed * 1000 + index * (1 + seed)));
  return Buffer.from(values.buffer).toString('base64');
};
const inline = (seed: number, hook_point = 'blocks.12.hook_resid_post', width?: number) => ({
  hook_point,
  data: direction(seed, width),
});
const edits = {
  feature: { feature: `${source}/837`, mode: 'add', strength: 1.5 },
  vector: { vector: inline(3), mode: 'add', strength: 0.6 },
} as const;
const label = `{model_name="${model}"}`;
/** Of metrics under vLLM's names. */
const vllm = `model_name="${model}",engine="0"`;

describe('one seed, one text', () => {
  it.each([
    ['chat', chat, { messages, temperature: 0.8, seed: 11, max_tokens: 12 }],
    ['a completion', completions, { prompt, temperature: 0.8, seed: 11, max_tokens: 12 }],
  ])('%s, twice and streamed', async (_, path, body) => {
    const [first, second, other] = [
      await service.ask(path, body),
      await service.ask(path, body),
      await service.ask(path, { ...body, seed: 12 }),
    ];
    const text = ({ choices: [choice] }: Answer) => choice?.message?.content ?? choice?.text ?? '';
    expect(text(first)).not.toBe('');
    expect(text(second)).toBe(text(first));
    expect(text(other)).not.toBe(text(first));
    expect(first.seed).toBe(11);

    const response = await service.post(path, { ...body, stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get('Content-Type')).toContain('text/event-stream');
    const data = sseData(await response.text());
    expect(data.pop()).toBe('[DONE]');
    const chunks = data.map((event) => JSON.parse(event));
    const pieces = chunks.map(({ choices: [choice] }) => choice?.delta?.content ?? choice?.text ?? '');
    expect(pieces.join('')).toBe(text(first));
    expect(pieces.filter((piece) => piece !== '').length).toBeGreaterThan(3);
    // all but what the first one left in the prefix cache
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: second.usage });
    expect({ ...second.usage, prompt_tokens_details: first.usage.prompt_tokens_details }).toEqual(first.usage);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('usage counts what the tokenizer counts', async () => {
    const { count } = await service.ask<{ count: number }>('/tokenize', { messages });
    const { usage } = await service.ask(chat, { messages, max_tokens: 5, ignore_eos: true });
    expect(usage).toMatchObject({ prompt_tokens: count, completion_tokens: 5, total_tokens: count + 5 });
  });

  it('n choices are the seeds one after the other', async () => {
    const body = { prompt, temperature: 1, max_tokens: 6 };
    const { choices } = await service.ask(completions, { ...body, seed: 5, n: 3 });
    const alone = [];
    for (const seed of [5, 6, 7]) alone.push((await service.ask(completions, { ...body, seed })).choices[0]?.text);
    expect(choices.map(({ text }) => text)).toEqual(alone);
    expect(new Set(alone).size).toBe(3);
  });
});

describe('the official client', () => {
  it('chats, streams, completes and lists models', async () => {
    const body = { model, messages, seed: 4, max_tokens: 8 };
    const whole = await client.chat.completions.create(body);
    const final = await client.chat.completions.stream(body).finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    const completion = await client.completions.create({ model, prompt, max_tokens: 4, temperature: 0 });
    expect(completion.choices[0]?.finish_reason).toBe('length');
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual([model]);
    await expect(client.models.retrieve(`${model}@nobody`)).rejects.toMatchObject({ code: 'profile_not_found' });
  });

  it('takes the fields that other servers are sent, null ones too', async () => {
    const body = {
      ...{ model, messages, max_completion_tokens: 3, temperature: 0, top_p: 1, n: 1, stop: null, seed: null },
      ...{ logprobs: null, top_logprobs: null, response_format: { type: 'text' }, user: 'a', metadata: {} },
      ...{ tools: null, logit_bias: null, repetition_penalty: 1, ignore_eos: true, reasoning_effort: 'low' },
    };
    const { usage, warnings } = await service.ask(chat, body);
    expect(usage.completion_tokens).toBe(3);
    expect(warnings).toEqual([expect.objectContaining({ param: 'reasoning_effort' })]);
  });
});

describe('steering', () => {
  const plain = { prompt, temperature: 0.7, seed: 21, max_tokens: 12 };
  const run = (...list: readonly unknown[]) =>
    service.ask(completions, list.length === 0 ? plain : { ...plain, steering: { edits: list } });

  it.each(Object.entries(edits))('by a %s changes the text, and only of its own request', async (_, edit) => {
    const before = await run();
    const [steered, beside] = await Promise.all([run(edit), run()]);
    expect(steered.choices[0]?.text).not.toBe(before.choices[0]?.text);
    expect(beside.choices[0]?.text).toBe(before.choices[0]?.text);
    expect(before.steering).toBeUndefined();
  });

  it('says what was done', async () => {
    const { steering, usage } = await run(edits.feature, { ...edits.vector, positions: 'generated' });
    const tokens = usage.total_tokens - 1;
    expect(steering?.edits).toEqual([
      {
        target: `${source}/837`,
        hook_point: 'blocks.17.hook_resid_post',
        mode: 'add',
        positions: 'all_but_first',
        tokens: tokens - 1,
        sink_tokens_skipped: 0,
        coefficient: { min: expect.any(Number), max: expect.any(Number) },
        relative_dose: expect.any(Number),
      },
      expect.objectContaining({
        target: 'inline',
        hook_point: 'blocks.12.hook_resid_post',
        tokens: usage.completion_tokens,
      }),
    ]);
    const { statistics } = (await (await service.get(`/api/v1/features/${source}/837`)).json()) as {
      statistics: { p999: number; version: string };
    };
    expect(steering?.edits[0]?.coefficient?.min).toBeCloseTo(1.5 * statistics.p999, 3);
    expect(steering?.edits[0]?.relative_dose).toBeGreaterThan(0);
    const cards = (await (await service.get('/api/v1/models')).json()) as { models: { hash: string }[] };
    expect(steering?.fingerprint).toEqual({
      model,
      model_hash: cards.models[0]?.hash,
      precision: 'f32',
      sources: { [source]: expect.stringMatching(/^[0-9a-f]{16,}$/) },
      statistics: { [source]: statistics.version, 'blocks.12.hook_resid_post': expect.any(String) },
      seeds: [21],
    });
  });

  it('set and pin tell the value asked and the value read back; pin reads what it was asked for', async () => {
    const { steering } = await run(
      { feature: `${source}/837`, mode: 'pin', value: 1 },
      { vector: inline(5, 'blocks.8.hook_resid_mid'), mode: 'pin', value: 0.3 },
      { vector: inline(6, 'blocks.20.hook_resid_mid'), mode: 'set', value: 0.3, positions: 'last' },
    );
    const [feature, vector, set] = steering?.edits ?? [];
    for (const pin of [feature, vector]) {
      const asked = pin?.value_asked ?? Number.NaN;
      const back = pin?.value_read_back;
      for (const read of [back?.min, back?.max, back?.mean]) {
        expect(Math.abs((read ?? Number.NaN) / asked - 1)).toBeLessThan(1e-3);
      }
    }
    expect(set).toMatchObject({ value_asked: expect.any(Number), value_read_back: { mean: expect.any(Number) } });
  });

  it('is refused where two edits would meet in the longest of several prompts only', async () => {
    const set = { feature: `${source}/837`, mode: 'set' };
    const both = [
      { ...set, value: 1, positions: 'prompt' },
      { ...set, value: 3, positions: 'last' },
    ];
    const ask = (lists: readonly (readonly number[])[]) =>
      service.post(completions, { prompt: lists, max_tokens: 1, temperature: 0, steering: { edits: both } });
    const refused = await ask([[504], [504, 3575, 314, 1507]]);
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ error: { code: 'edits_conflict', param: 'steering.edits[1]' } });
    expect((await ask([[504]])).status).toBe(200);
  });

  it('is repeated exactly from the fingerprint', async () => {
    const body = { messages, max_tokens: 8, n: 2, steering: { edits: Object.values(edits) } };
    const first = await service.ask(chat, body);
    const seeds = first.steering?.fingerprint.seeds ?? [];
    expect(seeds).toEqual([first.seed, first.seed + 1]);
    const texts: (string | undefined)[] = [];
    for (const seed of seeds) {
      texts.push((await service.ask(chat, { ...body, n: 1, seed })).choices[0]?.message.content);
    }
    expect(texts).toEqual(first.choices.map(({ message }) => message.content));
  });

  it('streams carry the block in their last chunk', async () => {
    const response = await service.post(chat, {
      messages,
      max_tokens: 4,
      stream: true,
      steering: { edits: [edits.feature] },
    });
    const chunks = sseData(await response.text())
      .slice(0, -1)
      .map((event) => JSON.parse(event));
    expect(chunks.slice(0, -1).some((chunk) => 'steering' in chunk)).toBe(false);
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ finish_reason: 'length' }],
      steering: { edits: [{ target: `${source}/837` }] },
    });
  });

  it('sixteen at once, each steered otherwise, are what each is alone', async () => {
    const modes = [
      { mode: 'add', strength: 0.8 },
      { mode: 'ablate' },
      { mode: 'orthogonal', factor: 0.5 },
      { mode: 'pin', value: 0.2 },
    ];
    const bodies = Array.from({ length: 16 }, (_, at) => {
      const edit =
        at % 4 === 0
          ? { feature: `${source}/${800 + at}`, mode: 'add', strength: 1 + at / 10 }
          : { vector: inline(at, 'blocks.12.hook_resid_post'), ...modes[at % 4] };
      const steering = at === 15 ? null : { edits: [edit] };
      return { prompt: `${'word '.repeat(at)}${prompt}`, temperature: 0.9, seed: 100 + at, max_tokens: 5, steering };
    });
    const text = ({ choices: [choice] }: Answer) => choice?.text;
    const together = await Promise.all(bodies.map((body) => service.ask(completions, body)));
    const alone: (string | undefined)[] = [];
    for (const body of bodies) alone.push(text(await service.ask(completions, body)));
    expect(together.map(text)).toEqual(alone);
  });
});

describe('log-probabilities', () => {
  it.each(goldenModel().forward)('$name: the echoed prompt has those of transformers', async (example) => {
    const expected = floats(example.token_logprobs);
    for (const max_tokens of example.ids.length > 100 ? [1] : [0, 1]) {
      const body = { prompt: [...example.ids], echo: true, logprobs: max_tokens * 20, max_tokens, temperature: 0 };
      const { choices, usage } = await service.ask(completions, body);
      const { token_logprobs: got = [], top_logprobs: top = [] } = choices[0]?.logprobs ?? {};
      expect(got).toHaveLength(example.ids.length + max_tokens);
      expect(usage.completion_tokens).toBe(max_tokens);
      expect(got[0]).toBeNull();
      for (const [at, value] of expected.entries()) {
        expect(Math.abs((got[at + 1] ?? Number.NaN) - value)).toBeLessThan(1e-3);
      }
      for (const entry of max_tokens === 1 ? top.slice(1) : []) {
        expect(Object.keys(entry ?? {}).length).toBeGreaterThanOrEqual(19);
      }
    }
  });

  it('of chat have the twenty likeliest, the likeliest first', async () => {
    const answer = await client.chat.completions.create({
      ...{ model, messages, temperature: 0, max_tokens: 3, logprobs: true, top_logprobs: 20 },
    });
    const entries = answer.choices[0]?.logprobs?.content ?? [];
    expect(entries).toHaveLength(3);
    for (const { token, logprob, top_logprobs: top } of entries) {
      expect(top).toHaveLength(20);
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top.map((entry) => entry.logprob)).toEqual(top.map((entry) => entry.logprob).toSorted((a, b) => b - a));
    }
  });
});

describe('rules of a reply', () => {
  const greedy = { prompt: 'The capital of France is', temperature: 0, max_tokens: 8 };

  it('a stop string ends it and is left out', async () => {
    const whole = (await service.ask(completions, greedy)).choices[0]?.text ?? '';
    const stop = whole.slice(4, 7);
    const { choices } = await service.ask(completions, { ...greedy, stop: ['never said', stop] });
    expect(choices[0]).toMatchObject({
      text: whole.slice(0, whole.indexOf(stop)),
      finish_reason: 'stop',
      stop_reason: stop,
    });
  });

  it('logit_bias bans a token', async () => {
    const { tokens } = await service.ask<{ tokens: number[] }>('/tokenize', { prompt: ' Paris' });
    const said = (await service.ask(completions, greedy)).choices[0]?.text;
    const { choices } = await service.ask(completions, { ...greedy, logit_bias: { [String(tokens[0])]: -100 } });
    expect(said).toMatch(/^ Paris/);
    expect(choices[0]?.text).not.toContain(' Paris');
  });

  it('min_tokens and ignore_eos go on past the end', async () => {
    const body = { messages: [{ role: 'user', content: 'Say only: ok' }], temperature: 0, max_tokens: 48 };
    const usual = await service.ask(chat, body);
    const least = usual.usage.completion_tokens + 3;
    expect(usual.choices[0]?.finish_reason).toBe('stop');
    const longer = await service.ask(chat, { ...body, min_tokens: least });
    expect(longer.usage.completion_tokens).toBeGreaterThanOrEqual(least);
    const endless = await service.ask(chat, { ...body, max_tokens: least, ignore_eos: true });
    expect(endless).toMatchObject({ usage: { completion_tokens: least }, choices: [{ finish_reason: 'length' }] });
  });
});

describe('load', () => {
  it('a full queue answers 429 with Retry-After; those inside finish as if alone', async () => {
    // long enough that none ends before the last one starts; without the tail, where float32's last bit may decide
    const draw = { temperature: 0.9, top_p: 0.8 };
    const body = (at: number) => ({ prompt, ...draw, seed: at, max_tokens: 48, ignore_eos: true });
    const inside = Array.from({ length: 20 }, (_, at) => service.ask(completions, body(at)));
    await until(async () => (await service.metric(`vllm:num_requests_waiting{${vllm}}`)) === 4);
    const refused = await service.post(completions, body(99));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: { code: 'queue_full', type: 'rate_limit_error' } });
    const answers = await Promise.all(inside);
    expect(answers.map(({ usage }) => usage.completion_tokens)).toEqual(Array(20).fill(48));
    for (const at of [0, 19]) {
      expect((await service.ask(completions, body(at))).choices[0]?.text).toBe(answers[at]?.choices[0]?.text);
    }
  });

  it.each([
    ['a stream', true],
    ['a whole answer', false],
  ])('a client that leaves %s frees its row, and is counted', async (_, stream) => {
    const gone = `tiller_client_disconnects_total{route="${completions}"}`;
    const cancelled = `vllm:request_success_total{${vllm},finished_reason="abort"}`;
    const tokens = `vllm:generation_tokens_total{${vllm}}`;
    const running = `vllm:num_requests_running{${vllm}}`;
    const before = { gone: await service.metric(gone), cancelled: await service.metric(cancelled) };
    const tokensBefore = await service.metric(tokens);
    const leave = new AbortController();
    const body = { prompt, max_tokens: 1500, ignore_eos: true, stream };
    const reading = service.post(completions, body, leave.signal).then((response) => response.text());
    const lost = expect(reading).rejects.toThrow();
    await until(async () => (await service.metric(running)) === 1);
    leave.abort();
    await lost;
    await until(async () => (await service.metric(running)) === 0);
    expect(await service.metric(gone)).toBe(before.gone + 1);
    expect(await service.metric(cancelled)).toBe(before.cancelled + 1);
    expect((await service.metric(tokens)) - tokensBefore).toBeLessThan(1000);
  });
});

describe('a deadline', () => {
  it('ends a whole answer with 504 and a stream with an error event; its row is free again', async () => {
    const body = { prompt, max_tokens: 1500, ignore_eos: true, timeout_seconds: 0.5 };
    const whole = await service.post(completions, body);
    expect(whole.status).toBe(504);
    expect(await whole.json()).toMatchObject({ error: { code: 'deadline_exceeded' } });
    const stream = await service.post(completions, { ...body, stream: true });
    expect(stream.status).toBe(200);
    const data = sseData(await stream.text());
    expect(data.length).toBeGreaterThan(2);
    expect(JSON.parse(data.at(-2) ?? '')).toMatchObject({ error: { code: 'deadline_exceeded' } });
    await until(async () => (await service.metric(`vllm:num_requests_running{${vllm}}`)) === 0);
    expect(await service.ask(completions, { prompt, max_tokens: 2, timeout_seconds: 60 })).toHaveProperty('choices');
  });
});

describe('a long prompt', () => {
  const long = 'The old king told his three sons about a horse that could speak. '.repeat(60);
  const body = { prompt: long, max_tokens: 4, temperature: 0, ignore_eos: true };

  it('is encoded on its thread as anywhere, and what an earlier request read of it is not computed again', async () => {
    const expected = service.ready.model.tokenizer.encode(long, { addSpecialTokens: true });
    const first = await service.ask(completions, body);
    expect(first.usage).toMatchObject({
      prompt_tokens: expected.length,
      prompt_tokens_details: { cached_tokens: 0 },
    });
    const tokenized = await service.ask<{ tokens: number[] }>('/tokenize', { prompt: long });
    expect(tokenized.tokens).toEqual([...expected]);
    const again = await service.ask(completions, body);
    expect(again.choices[0]?.text).toBe(first.choices[0]?.text);
    const { cached_tokens: cached } = again.usage.prompt_tokens_details;
    expect(cached).toBeGreaterThan(expected.length / 2);
    expect(cached).toBeLessThan(expected.length);
  });
});

describe('bad input gets', () => {
  const one = { prompt, max_tokens: 1 };
  const steered = (...list: unknown[]) => ({ ...one, steering: { edits: list } });
  const add = (fields: object) => steered({ mode: 'add', strength: 1, ...fields });
  const set = { feature: `${source}/5`, mode: 'set', value: 1 };
  type Row = readonly [what: string, status: number, code: string, body: unknown, param?: string, nearest?: string];
  const rows: readonly Row[] = [
    ['malformed JSON', 400, 'invalid_json', '{"prompt": '],
    ['a wrong type', 400, 'invalid_request', { ...one, max_tokens: 'x' }, 'max_tokens'],
    [
      'an unknown field in steering',
      400,
      'unknown_field',
      add({ strenght: 1 }),
      'steering.edits[0].strenght',
      'strength',
    ],
    ['a misspelling', 400, 'unknown_field', { ...one, temprature: 0 }, 'temprature', 'temperature'],
    ['an unknown model', 404, 'model_not_found', { ...one, model: 'smollm2' }, 'model', model],
    ['an unknown profile', 404, 'profile_not_found', { ...one, model: `${model}@pirate` }, 'model'],
    ['an unknown profile', 404, 'profile_not_found', { ...one, steering: { profile: 'x' } }, 'steering.profile'],
    [
      ...(['an unknown source', 404, 'source_not_found', add({ feature: `${model}/17-res-4x/3` })] as const),
      ...(['steering.edits[0].feature', '17-res-4k'] as const),
    ],
    ['an unknown feature', 404, 'feature_not_found', add({ feature: `${source}/4096` }), 'steering.edits[0].feature'],
    [
      ...([
        'an unknown hook point',
        404,
        'hook_point_not_found',
        add({ vector: inline(1, 'blocks.3.resid_post') }),
      ] as const),
      ...(['steering.edits[0].vector.hook_point', 'blocks.3.hook_resid_post'] as const),
    ],
    ['an unknown vector', 404, 'vector_not_found', add({ vector: 'pirate' }), 'steering.edits[0].vector'],
    ['a wrong width', 422, 'edit_not_applicable', add({ vector: inline(1, 'blocks.3.hook_resid_post', 575) })],
    [
      'a place that cannot be edited',
      422,
      'edit_not_applicable',
      add({ vector: inline(1, 'blocks.0.ln1.hook_scale') }),
    ],
    [
      'a number that is not finite',
      422,
      'edit_not_applicable',
      JSON.stringify(add({ feature: '5' })).replace('"strength":1', '"strength":1e999'),
    ],
    [
      ...(['a zero vector', 422, 'edit_not_applicable'] as const),
      add({ vector: { hook_point: 'blocks.3.hook_resid_post', data: Buffer.alloc(576 * 4).toString('base64') } }),
    ],
    ['no statistics for the unit', 422, 'statistics_missing', add({ feature: `${model}/bare/837` })],
    ['conflicting edits', 422, 'edits_conflict', steered(set, { ...set, mode: 'pin' })],
    ['a range outside the prompt', 422, 'edit_not_applicable', steered({ ...set, positions: { from: 3, to: 999 } })],
    ['too long a reply', 400, 'context_length_exceeded', { ...one, max_tokens: 9000 }, 'max_tokens'],
    ['too long a prompt', 400, 'context_length_exceeded', { ...one, prompt: Array(8193).fill(5) }, 'prompt'],
    ['far too long a prompt', 400, 'context_length_exceeded', { ...one, prompt: ' '.repeat(900_000) }, 'prompt'],
    ['too large a body', 413, 'body_too_large', { ...one, prompt: ' '.repeat(1_000_001) }],
    ['too many edits', 400, 'too_many_edits', steered(...Array(65).fill(edits.feature)), 'steering.edits'],
  ];

  it.each(rows)('%s: %i %s', async (_, status, code, body, param, nearest) => {
    const steeredBefore = await service.metric(`tiller_steered_requests_total${label}`);
    const response = await service.post(completions, body);
    const { error } = (await response.json()) as { error: { code: string; param: string; suggestions?: string[] } };
    expect({ status: response.status, code: error.code }).toEqual({ status, code });
    if (param !== undefined) expect(error.param).toBe(param);
    if (nearest !== undefined) expect(error.suggestions?.[0]).toBe(nearest);
    expect(await service.metric(`tiller_steered_requests_total${label}`)).toBe(steeredBefore);
  });

  it('the same source without statistics works in raw units', async () => {
    const body = add({ feature: `${model}/bare/837`, unit: 'raw' });
    expect((await service.ask(completions, body)).steering?.fingerprint.statistics).toEqual({});
  });
});

describe('everything else', () => {
  it('tokenizes there and back', async () => {
    const text = 'Grüße, 🌍! <|im_end|>\n';
    const { tokens, count } = await service.ask<{ tokens: number[]; count: number }>('/tokenize', { prompt: text });
    expect(count).toBe(tokens.length);
    expect(await service.ask('/detokenize', { tokens })).toEqual({ prompt: text });
  });

  it('finds and shows features', async () => {
    const found = await (await service.get('/api/v1/features/search?q=music&limit=3')).json();
    expect(found).toMatchObject({ features: [{ source: '17-res-4k', label: expect.stringMatching(/music/) }, {}, {}] });
    expect(found).toMatchObject({ mode: 'lexical', reason: expect.stringContaining('being prepared') });
    const feature = await (await service.get(`/api/v1/features/${source}/837`)).json();
    expect(feature).toMatchObject({ id: `${source}/837`, hook_point: 'blocks.17.hook_resid_post', statistics: {} });
    const missing = await service.get(`/api/v1/features/${model}/17-res-4k/9999`);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('Content-Type')).toBe('application/problem+json');
  });

  it('finds features by meaning while it generates, once their labels are embedded', { timeout: 600_000 }, async () => {
    await service.useEmbedder();
    const body = { query: 'air travel', sources: [source], limit: 5 };
    await until(async () => (await service.ask<{ mode: string }>('/api/v1/features/search', body)).mode === 'hybrid');
    const reply = service.ask(chat, { messages, max_tokens: 8, temperature: 0 });
    const answer = await service.ask<{ features: { index: number }[] }>('/api/v1/features/search', body);
    expect(answer).toMatchObject({ mode: 'hybrid', reason: null, embeddings: { done: 4096, total: 4096 } });
    // 'flights and planes'
    expect(answer.features[0]).toMatchObject({ index: 672, lexical_rank: null, semantic_rank: 1 });
    const ids = [`${source}/1997`, `${source}/672`, `${source}/3030`];
    const ranked = await service.ask<{ features: { index: number }[] }>('/api/v1/features/rerank', {
      query: 'sleep',
      features: ids,
    });
    expect(ranked.features[0]?.index).toBe(3030);
    expect((await reply).choices[0]?.message.content.length).toBeGreaterThan(0);
  });

  it('operations answer', async () => {
    for (const path of ['/healthz', '/readyz', '/']) expect((await service.get(path)).status, path).toBe(200);
    const document = (await (await service.get('/openapi.json')).json()) as { paths: object };
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining([chat, completions, '/api/v1/features/search']));
  });

  it('metrics move, all under the name of the model', async () => {
    const samples = [
      `vllm:request_success_total{${vllm},finished_reason="length"}`,
      `vllm:prompt_tokens_total{${vllm}}`,
      `vllm:generation_tokens_total{${vllm}}`,
      `vllm:time_to_first_token_seconds_count{${vllm}}`,
      `vllm:inter_token_latency_seconds_count{${vllm}}`,
      `vllm:e2e_request_latency_seconds_count{${vllm}}`,
      `vllm:request_decode_time_seconds_count{${vllm}}`,
      `vllm:request_params_n_count{${vllm}}`,
      `tiller_steered_requests_total${label}`,
      `tiller_steered_rows_total{model_name="${model}",kind="decode"}`,
      `tiller_steering_edits_total{model_name="${model}",mode="add",source="${source}"}`,
      `tiller_edited_tokens_total${label}`,
      `tiller_relative_dose_count{model_name="${model}",source="${source}"}`,
      `tiller_step_phase_seconds_count{model_name="${model}",kind="decode",phase="run"}`,
      `tiller_http_request_duration_seconds_count{method="POST",route="${completions}",status="200"}`,
    ];
    const before = await Promise.all(samples.map(service.metric));
    await service.ask(completions, { prompt, max_tokens: 3, ignore_eos: true, steering: { edits: [edits.feature] } });
    const after = await Promise.all(samples.map(service.metric));
    expect(samples.filter((_, at) => !((after[at] ?? 0) > (before[at] ?? 0)))).toEqual([]);
    expect(await service.metric(`tiller_sae_resident_bytes{model_name="${model}",source="${source}"}`)).toBeGreaterThan(
      4096 * 576 * 2 * 4,
    );
    const text = await (await service.get('/metrics')).text();
    expect(new Set(text.match(/model_name="[^"]*"/g))).toEqual(new Set([`model_name="${model}"`]));
  });

  it('nothing unexpected happened', () => {
    expect(service.unexpected).toEqual([]);
  });
});
