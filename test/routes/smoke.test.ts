import { expect, it } from 'vitest';
import { createApp } from '../../src/app.ts';
import { fakeServices } from '../harness/fake-services.ts';

const post = (app: ReturnType<typeof createApp>, path: string, body: unknown) =>
  app.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
it('x', async () => {
  const f = fakeServices();
  const app = createApp(f.services);
  for (const [p, b] of [
    [
      '/v1/chat/completions',
      {
        messages: [{ role: 'user', content: 'hi' }],
        seed: 5,
        n: 2,
        logprobs: true,
        top_logprobs: 1,
        max_tokens: 3,
        foo: 1,
      },
    ],
    [
      '/v1/chat/completions',
      {
        messages: [{ role: 'user', content: 'hi' }],
        seed: 5,
        n: 2,
        stream: true,
        stream_options: { include_usage: true },
        max_tokens: 8,
        steering: { edits: [{ feature: 'toy-chat/3-res/1', mode: 'add', strength: 1 }] },
      },
    ],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], temprature: 5 }],
    ['/v1/chat/completions', '{"messages":[{"role":"user","content":"hi"},]}'],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 3 }] }],
    [
      '/v1/chat/completions',
      { messages: [{ role: 'user', content: 'a' }], steering: { edits: [{ featur: 'x', mode: 'add', strength: 1 }] } },
    ],
    [
      '/v1/chat/completions',
      '{"messages":[{"role":"user","content":"a"}], "steering":{"edits":[{"feature":"toy-chat/3-res/1","mode":"add","strength":1e999}]}}',
    ],
    ['/v1/completions', { prompt: 'h🌍', echo: true, logprobs: 1, max_tokens: 2 }],
    ['/v1/completion', {}],
    ['/tokenize', { prompt: 'hi', return_token_strs: true }],
  ] as const) {
    const r = await post(app, p, b);
    console.log(p, r.status, JSON.stringify(Object.fromEntries(r.headers)), await r.text());
  }
  for (const p of [
    '/',
    '/healthz',
    '/readyz',
    '/metrics',
    '/v1/models',
    '/v1/models/toy-chat',
    '/v1/models/x',
    '/api/v1/models',
    '/api/v1/features/search?q=cats&limit=1',
    '/api/v1/features/search?limit=1',
    '/api/v1/features/search?q=a&limt=3',
    '/api/v1/features/toy-chat/3-res/99',
    '/v1/chat/completions',
    '/nope',
    '/openapi.json',
  ]) {
    const r = await app.request(p);
    console.log(p, r.status, JSON.stringify(Object.fromEntries(r.headers)), (await r.text()).slice(0, 600));
  }
  console.log(f.observations, f.unexpected);
});
