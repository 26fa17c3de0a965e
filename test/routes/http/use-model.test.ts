import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const chat = { messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 };

describe('a model that a request uses', () => {
  it.each([
    ['/v1/chat/completions', chat],
    ['/v1/completions', { model: 'toy-chat', prompt: 'a', max_tokens: 2 }],
    ['/tokenize', { prompt: 'a' }],
    ['/detokenize', { model: 'toy-chat', tokens: [97] }],
  ] as const)('%s is let go of once it has answered', async (path, body) => {
    const fake = fakeApp();
    expect((await fake.post(path, body)).status).toBe(200);
    expect(fake.released).toEqual(['model' in body ? body.model : null]);
  });

  it('is let go of when the request is refused after all', async () => {
    const fake = fakeApp();
    expect((await fake.post('/v1/completions', { prompt: '', max_tokens: 2 })).status).toBe(400);
    expect(fake.released).toEqual([null]);
  });

  it('is kept until the last byte of a stream', async () => {
    const fake = fakeApp();
    const response = await fake.post('/v1/chat/completions', { ...chat, stream: true });
    expect(fake.released).toEqual([]);
    await response.text();
    await new Promise((resolve) => setImmediate(resolve));
    expect(fake.released).toEqual([null]);
  });

  it('is not asked for where there is none of the name', async () => {
    const fake = fakeApp();
    expect((await fake.post('/v1/completions', { model: 'other', prompt: 'a' })).status).toBe(404);
    expect(fake.released).toEqual([]);
  });
});
