import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const body = { messages: [{ role: 'user', content: 'hi' }] };

describe('health', () => {
  it('answers whatever the model does', async () => {
    for (const fake of [fakeApp(), fakeApp({ notReady: 'loading' }), fakeApp({ draining: () => true })]) {
      const response = await fake.get('/healthz');
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ status: 'ok', version: '0.0.0-test' });
    }
  });

  it('is ready when requests are taken', async () => {
    expect((await fakeApp().get('/readyz')).status).toBe(200);
  });

  it.each([
    ['not_ready', { notReady: 'downloading the model' }, /downloading the model/],
    ['draining', { draining: () => true }, /shutting down/],
  ])('%s: 503 with a reason and Retry-After, for readiness and for requests', async (code, options, reason) => {
    const fake = fakeApp(options);
    const ready = await fake.get('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ code, detail: expect.stringMatching(reason) });
    const answers = await Promise.all([
      fake.post('/v1/chat/completions', body),
      fake.post('/v1/completions', { prompt: 'a' }),
      fake.get('/v1/models'),
      fake.post('/tokenize', { prompt: 'a' }),
      fake.get('/api/v1/features/search?q=a'),
    ]);
    for (const answer of [ready, ...answers]) {
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0);
    }
    expect(await answers[0]?.json()).toMatchObject({ error: { code, type: 'service_unavailable_error' } });
    expect(fake.engine.requests).toEqual([]);
  });
});

describe('metrics', () => {
  it('are text, with the content type that Prometheus expects', async () => {
    const response = await fakeApp().get('/metrics');
    expect(response.headers.get('Content-Type')).toContain('version=0.0.4');
    expect(await response.text()).toBe('toy_metric 1\n');
  });

  it('see every answer once, by route pattern', async () => {
    const fake = fakeApp();
    await fake.get('/api/v1/features/toy-chat/3-res/1');
    await fake.get('/api/v1/features/search?q=a');
    await fake.get('/made/up/by/anybody');
    await fake.get('/v1/chat/completions');
    await (await fake.post('/v1/chat/completions', { ...body, stream: true })).text();
    expect(fake.observations.map(({ method, route, status }) => [method, route, status])).toEqual([
      ['GET', '/api/v1/features/:model/:source/:index', 200],
      ['GET', '/api/v1/features/search', 200],
      ['GET', 'unmatched', 404],
      ['GET', '/v1/chat/completions', 405],
      ['POST', '/v1/chat/completions', 200],
    ]);
    expect(fake.observations.every(({ seconds }) => seconds >= 0)).toBe(true);
  });
});

describe('request ids', () => {
  it('are taken over or made up', async () => {
    const { app } = fakeApp();
    const given = await app.request('/healthz', { headers: { 'X-Request-Id': 'abc-1' } });
    expect(given.headers.get('X-Request-Id')).toBe('abc-1');
    const injected = await app.request('/healthz', { headers: { 'X-Request-Id': 'a b' } });
    expect(injected.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('the root and the document', () => {
  it('lead on', async () => {
    const fake = fakeApp();
    const { links } = (await (await fake.get('/')).json()) as { links: Record<string, string> };
    const document = (await (await fake.get('/openapi.json')).json()) as { paths: Record<string, unknown> };
    for (const link of Object.values(links)) expect(Object.keys(document.paths)).toContain(link.split('?')[0]);
  });
});
