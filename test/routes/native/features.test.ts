import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

describe('one feature', () => {
  it('gives everything in snake case', async () => {
    const response = await fakeApp().get('/api/v1/features/toy-chat/3-res/5');
    expect(await response.json()).toMatchObject({
      id: 'toy-chat/3-res/5',
      hook_point: 'blocks.3.hook_resid_post',
      statistics: { p999: 2, version: 'v1' },
      top_logits: [' cat'],
      examples: [{ tokens: ['a', ' cat'], value: 2 }],
      encoder_dot_decoder: 0.8,
    });
  });

  it.each([
    ['nobody/3-res/1', 'model_not_found'],
    ['toy-chat/9-res/1', 'source_not_found'],
    ['toy-chat/3-res/99', 'feature_not_found'],
    ['toy-chat/3-res/x', 'feature_not_found'],
  ])('%s: 404 %s', async (id, code) => {
    const response = await fakeApp().get(`/api/v1/features/${id}`);
    expect(response.status).toBe(404);
    const problem = await response.json();
    expect(problem).toMatchObject({ code, status: 404, type: `urn:tiller:problem:${code}` });
    expect(problem).toMatchObject({ instance: `/api/v1/features/${id}#${response.headers.get('X-Request-Id')}` });
  });
});

describe('model cards', () => {
  it('say what is loaded', async () => {
    const body = await (await fakeApp().get('/api/v1/models')).json();
    expect(body).toMatchObject({ models: [{ id: 'toy-chat', d_model: 4, blocks: 6, sources: ['toy-chat/3-res'] }] });
  });

  it('are given one by one with the limits that hold', async () => {
    const fake = fakeApp({ limits: { maxChoices: 50, maxReplyTokens: 100 } });
    const response = await fake.get('/api/v1/models/toy-chat');
    expect(response.status).toBe(200);
    const card = (await response.json()) as { limits: unknown };
    expect(card.limits).toEqual({
      rows: 4,
      key_value_tokens: 4096,
      prefix_cache_tokens: 2048,
      queue: 16,
      queue_seconds: 120,
      edits: 4,
      choices: 20,
      reply_tokens: 100,
      body_bytes: 65_536,
      stream_timeout_seconds: 120,
    });
    const unknown = await fake.get('/api/v1/models/toy-chatt');
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: 'model_not_found', suggestions: ['toy-chat'] });
  });
});
