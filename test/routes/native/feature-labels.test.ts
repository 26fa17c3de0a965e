import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/features/toy-chat/3-res/4/labels';
const cats = { text: ' cats ', author: 'me' };

describe('a label by hand', () => {
  it('is added once', async () => {
    const app = fakeApp();
    const first = await app.post(path, { ...cats, clarity: 2 });
    expect(first.status).toBe(201);
    expect(await first.json()).toEqual({ text: 'cats', method: 'manual', author: 'me', clarity: 2 });
    expect(app.labelsByHand).toEqual(['{"index":"4","text":"cats","author":"me","clarity":2}']);
    expect((await app.post(path, { ...cats, clarity: 2 })).status).toBe(200);
    expect(await (await app.post(path, cats)).json()).toMatchObject({ clarity: null });
  });

  it.each([
    [path, { author: 'me' }, 400, 'invalid_request', 'text'],
    [path, { text: '  ', author: 'me' }, 400, 'invalid_request', 'text'],
    [path, { text: 'x'.repeat(2001), author: 'me' }, 400, 'invalid_request', 'text'],
    [path, { text: 'cats' }, 400, 'invalid_request', 'author'],
    [path, { ...cats, clarity: 'high' }, 400, 'invalid_request', 'clarity'],
    [path, { ...cats, method: 'llm' }, 400, 'unknown_field', 'method'],
    [path.replace('toy-chat', 'toy'), cats, 404, 'model_not_found', undefined],
    [path.replace('3-res', '9-res'), cats, 404, 'source_not_found', undefined],
    [path.replace('/4/', '/8/'), cats, 404, 'feature_not_found', undefined],
  ])('is refused: %s', async (to, body, status, code, param) => {
    const app = fakeApp();
    const response = await app.post(to, body);
    expect([response.status, await response.json()]).toEqual([
      status,
      expect.objectContaining({ code, ...(param === undefined ? {} : { param }) }),
    ]);
    expect(app.labelsByHand).toEqual([]);
  });
});
