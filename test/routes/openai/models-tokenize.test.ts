import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';
import { specials } from '../../harness/toy-model.ts';

const messages = [{ role: 'user', content: 'hi' }];

describe('/v1/models', () => {
  it('lists what is loaded with its context length, and its profiles', async () => {
    const model = {
      id: 'toy-chat',
      object: 'model',
      created: 1_700_000_000,
      owned_by: 'tiller',
      parent: null,
      max_model_len: 512,
      state: 'loaded',
    };
    const steered = { ...model, id: 'toy-chat@pirate', parent: 'toy-chat' };
    const fake = fakeApp();
    expect(await (await fake.get('/v1/models')).json()).toEqual({
      object: 'list',
      data: [model, { ...steered, created: 1_700_000_001 }],
    });
    expect(await (await fake.get('/v1/models/toy-chat')).json()).toEqual(model);
    expect(await (await fake.get('/v1/models/toy-chat@pirate')).json()).toEqual(steered);
  });

  it('answers 404 with the nearest name', async () => {
    const response = await fakeApp().get('/v1/models/toy-cat');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'model_not_found', suggestions: ['toy-chat'] } });
  });
});

describe('/tokenize and /detokenize', () => {
  it('round-trip text, special tokens included', async () => {
    const fake = fakeApp();
    const prompt = '<|im_start|>é';
    const tokenized = await (await fake.post('/tokenize', { prompt, return_token_strs: true })).json();
    expect(tokenized).toEqual({
      count: 3,
      max_model_len: 512,
      tokens: [specials['<|im_start|>'], 0xc3, 0xa9],
      token_strs: ['<|im_start|>', '\uFFFD', '\uFFFD'],
    });
    const { tokens } = tokenized as { tokens: number[] };
    expect(await (await fake.post('/detokenize', { model: 'toy-chat', tokens })).json()).toEqual({ prompt });
  });

  it('prepend to text by default and not to messages, which the template has done', async () => {
    const fake = fakeApp({ prependBegin: true });
    const first = async (body: unknown) => {
      const { tokens } = (await (await fake.post('/tokenize', body)).json()) as { tokens: number[] };
      return tokens[0];
    };
    expect(await first({ prompt: 'a' })).toBe(specials['<|begin|>']);
    expect(await first({ prompt: 'a', add_special_tokens: false })).toBe(97);
    expect(await first({ messages })).toBe(specials['<|im_start|>']);
    expect(await first({ messages, add_special_tokens: true })).toBe(specials['<|begin|>']);
  });

  it('count what a chat request would', async () => {
    const fake = fakeApp();
    const { count } = (await (await fake.post('/tokenize', { messages })).json()) as { count: number };
    const answer = await (await fake.post('/v1/chat/completions', { messages })).json();
    expect(answer).toMatchObject({ usage: { prompt_tokens: count } });
  });

  it.each([
    ['/tokenize', {}, 'prompt'],
    ['/tokenize', { prompt: 'a', messages }, 'messages'],
    ['/detokenize', { tokens: [1, 259] }, 'tokens[1]'],
    ['/detokenize', { tokens: [-1] }, 'tokens[0]'],
    ['/detokenize', { tokns: [1] }, 'tokns'],
  ])('%s refuses %o', async (path, body, param) => {
    const response = await fakeApp().post(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param } });
  });
});
