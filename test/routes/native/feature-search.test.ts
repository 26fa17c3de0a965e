import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/features/search';
const hit = (index: number) => ({
  id: `toy-chat/3-res/${index}`,
  model: 'toy-chat',
  source: '3-res',
  index,
  label: `talk about cats, kind ${index}`,
  layer: 3,
  density: 0.01,
  method: 'test',
  author: 'test',
  clarity: null,
  score: 1 - index / 10,
  lexical_rank: index + 1,
  semantic_rank: null,
  similarity: null,
  highlights: [{ start: 11, end: 15 }],
});
const post = (where: string, body: unknown) =>
  fakeApp().app.request(where, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('feature search', () => {
  it('gives best matches first, up to the limit, and what was searched with', async () => {
    const response = await fakeApp().get(`${path}?q=cats&limit=2`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      features: [hit(0), hit(1)],
      mode: 'lexical',
      embeddings: { done: 0, total: 8 },
      next_cursor: 'next',
    });
  });

  it('asks for the same in both forms', async () => {
    const asked = {
      text: 'cats',
      filters: { model: 'm', sources: ['a', 'm/b'], layers: [3, 17], density: { min: 0.1, max: null }, methods: ['x'] },
      mode: 'semantic',
      limit: 5,
      cursor: 'c',
    };
    const query = 'q=cats&model=m&source=a,m/b&layer=3,17&min_density=0.1&method=x&mode=semantic&limit=5&cursor=c';
    const got = (await (await fakeApp().get(`${path}?${query}`)).json()) as { reason: string };
    expect(JSON.parse(got.reason)).toEqual(asked);
    const posted = (await (
      await post(path, {
        ...{ query: 'cats', model: 'm', sources: ['a', 'm/b'], layers: [3, 17], density: { min: 0.1 } },
        ...{ methods: ['x'], mode: 'semantic', limit: 5, cursor: 'c' },
      })
    ).json()) as { reason: string };
    expect(JSON.parse(posted.reason)).toEqual(asked);
  });

  it.each([
    ['?limit=2', 'invalid_request', 'q'],
    ['?q=', 'invalid_request', 'q'],
    ['?q=?', 'invalid_request', 'q'],
    ['?q=a&limit=0', 'invalid_request', 'limit'],
    ['?q=a&limit=many', 'invalid_request', 'limit'],
    ['?q=a&modle=x', 'unknown_field', 'modle'],
    ['?q=a&mode=words', 'invalid_request', 'mode'],
    ['?q=a&layer=three', 'invalid_request', 'layer'],
    ['?q=a&layer=9', 'invalid_request', 'layer'],
    ['?q=a&min_density=2', 'invalid_request', 'min_density'],
  ])('refuses %s', async (query, code, param) => {
    const response = await fakeApp().get(`${path}${query}`);
    expect(response.status).toBe(400);
    expect(response.headers.get('Content-Type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 400, code, param });
  });

  it.each([
    [{}, 'invalid_request', 'query', []],
    [{ query: 'a', layer: [3] }, 'unknown_field', 'layer', ['layers']],
    [{ query: 'a', elephants: 1 }, 'unknown_field', 'elephants', []],
    [{ query: 'a', density: { mim: 0.1 } }, 'unknown_field', 'density.mim', ['min']],
    [{ query: 'a', density: { min: -1 } }, 'invalid_request', 'density.min', []],
    [{ query: 'a', layers: [9] }, 'invalid_request', 'layers', []],
    [{ query: '?' }, 'invalid_request', 'query', []],
    [{ query: 'a', sources: [] }, 'invalid_request', 'sources', []],
    [{ query: 'a', mode: 'hybird' }, 'invalid_request', 'mode', ['hybrid']],
  ])('refuses the body %j', async (body, code, param, suggestions) => {
    const response = await post(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code,
      param,
      ...(suggestions.length > 0 ? { suggestions: expect.arrayContaining(suggestions) } : {}),
    });
  });
});

describe('lookup and rerank', () => {
  const lookup = '/api/v1/features/lookup';
  const rerank = '/api/v1/features/rerank';

  it('take ids, or a source with indices', async () => {
    const ids = ['toy-chat/3-res/4', 'toy-chat/3-res/1'];
    for (const body of [{ features: ids }, { source: 'toy-chat/3-res', indices: [4, 1] }]) {
      const answer = (await (await post(lookup, body)).json()) as { features: { id: string }[] };
      expect(answer.features.map(({ id }) => id)).toEqual(ids);
    }
  });

  it('order features by meaning', async () => {
    const answer = await (await post(rerank, { query: 'cats', features: ['3-res/4', '3-res/1'] })).json();
    expect(answer).toMatchObject({
      features: [
        { index: 1, similarity: 1 },
        { index: 4, similarity: 0.9 },
      ],
    });
  });

  it.each([
    [lookup, {}, 400, 'invalid_request', 'indices'],
    [lookup, { source: '3-res' }, 400, 'invalid_request', 'indices'],
    [lookup, { features: ['a/1'], indices: [1] }, 400, 'invalid_request', 'features'],
    [lookup, { features: ['3-res/1', '3-res/99'] }, 404, 'feature_not_found', 'features[1]'],
    [lookup, { source: '3-res', indices: [1, 99] }, 404, 'feature_not_found', 'indices[1]'],
    [lookup, { features: [] }, 400, 'invalid_request', 'features'],
    [rerank, { features: ['3-res/1'] }, 400, 'invalid_request', 'query'],
    [rerank, { query: 'a', features: ['9-res/1'] }, 404, 'source_not_found', 'features[0]'],
    [rerank, { query: 'a', feature: ['3-res/1'] }, 400, 'unknown_field', 'feature'],
  ])('%s refuses %j', async (where, body, status, code, param) => {
    const response = await post(where, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, param });
  });
});
