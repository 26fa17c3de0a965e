import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/sources/toy-chat/3-res/labels';
const lines = { 'Content-Type': 'application/x-ndjson' };

describe('labels of a source', () => {
  it('are given as JSON lines', async () => {
    const response = await fakeApp().get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe('application/x-ndjson');
    expect(await response.text()).toBe('{"index":0,"label":"one"}\n{"index":1,"label":"two"}\n');
  });

  it('are taken as JSON lines, with what holds for lines that do not say', async () => {
    const app = fakeApp();
    const response = await app.post(`${path}?author=me&origin=https://a.b/c`, '{"index":0,"label":"one"}\n', lines);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      added: 1,
      updated: 0,
      unchanged: 2,
      bad_lines: 1,
      bad: [{ line: 4, reason: 'is not JSON.' }],
    });
    expect(app.labelFiles).toEqual([
      { text: '{"index":0,"label":"one"}\n', method: 'import', author: 'me', origin: 'https://a.b/c' },
    ]);
    expect((await app.post(path, '{}', { 'Content-Type': 'text/plain; charset=utf-8' })).status).toBe(200);
  });

  it.each([
    [path, 'x'.repeat(70_000), lines, 413, 'body_too_large'],
    [path, '{}', { 'Content-Type': 'application/json' }, 415, 'unsupported_media_type'],
    [`${path}?autor=me`, '', lines, 400, 'unknown_field'],
    [`${path}?method=`, '', lines, 400, 'invalid_request'],
    ['/api/v1/sources/nobody/3-res/labels', '', lines, 404, 'model_not_found'],
    ['/api/v1/sources/toy-chat/9-res/labels', '', lines, 404, 'source_not_found'],
  ])('refuses %s with %.10s', async (to, body, headers, status, code) => {
    const app = fakeApp();
    const response = await app.post(to, body, headers as Record<string, string>);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(app.labelFiles).toEqual([]);
  });

  it('refuses to give those of a source that is not there', async () => {
    expect((await fakeApp().get('/api/v1/sources/toy-chat/9-res/labels')).status).toBe(404);
  });
});
