import { describe, expect, it } from 'vitest';
import { fakeRelations } from '../../harness/fake-relations.ts';
import { fakeApp } from '../../harness/http.ts';

const asked: unknown[] = [];
const app = () => fakeApp({ relations: fakeRelations(asked) });
const feature = 'toy-chat/3-res/1';
const related = {
  ...{ id: feature, model: 'toy-chat', source: '3-res', index: 1, label: 'cats' },
  ...{ hook_point: 'blocks.3.hook_resid_post', value: 0.5, effective_threshold: 0.25 },
};

describe('relations of a feature', () => {
  it('are its neighbours, asked for by address or by body', async () => {
    const expected = { by: 'decoder', neighbors: [related], sources: ['toy-chat/3-res'], compared: 8 };
    const got = await app().get(`/api/v1/features/neighbors?feature=${feature}&source=3-res&limit=3`);
    expect(await got.json()).toMatchObject(expected);
    expect(asked.at(-1)).toEqual({ feature, by: 'decoder', sources: ['3-res'], sequences: null, limit: 3 });
    const posted = await app().post('/api/v1/features/neighbors', { feature, by: 'encoder' });
    expect(await posted.json()).toMatchObject({ ...expected, by: 'encoder' });
    expect(asked.at(-1)).toEqual({ feature, by: 'encoder', sources: null, sequences: null, limit: 10 });
  });

  it('are also those with like labels, and those that fire where it does, as collected or on texts', async () => {
    const labelled = await app().get(`/api/v1/features/neighbors?feature=${feature}&by=label`);
    expect(await labelled.json()).toMatchObject({ by: 'label', not_embedded: 1, counted: null });
    const kept = await app().get(`/api/v1/features/neighbors?feature=${feature}&by=cofiring`);
    const counts = { fired: 4, together: 2 };
    expect(await kept.json()).toMatchObject({
      neighbors: [{ ...related, cofiring: counts }],
      not_embedded: null,
      counted: { tokens: 20, fired: 4, version: 'v1' },
    });
    const body = { feature, by: 'cofiring', texts: ['one text', 'two'] };
    const counted = await app().post('/api/v1/features/neighbors', body);
    expect(await counted.json()).toMatchObject({ counted: { version: null } });
    const { sequences } = asked.at(-1) as { readonly sequences: readonly Int32Array[] };
    expect(sequences.map((ids) => ids.length > 0)).toEqual([true, true]);
  });

  it('are the tokens that it raises and lowers', async () => {
    const got = await app().get(`/api/v1/features/${feature}/logits?limit=2`);
    expect(await got.json()).toMatchObject({
      top: [{ token_id: 5, token: ' 5', value: 2 }],
      bottom: [{ token_id: 6, value: -2 }],
    });
    expect(asked.at(-1)).toEqual({ id: feature, limit: 2 });
  });

  it('are its weights onto later features and tokens', async () => {
    const posted = await app().post('/api/v1/features/virtual-weights', { feature, tokens: [' cat', 5] });
    expect(await posted.json()).toMatchObject({
      hook_point: 'blocks.3.hook_resid_post',
      readers: [{ source: 'toy-chat/5-res', hook_point: 'blocks.5.hook_resid_post', raised: [related], lowered: [] }],
      logits: [{ token_id: 5 }],
    });
    expect(asked.at(-1)).toEqual({ feature, sources: null, tokens: [' cat', 5], limit: 10 });
    const without = await app().post('/api/v1/features/virtual-weights', { feature });
    expect(await without.json()).toMatchObject({ logits: null });
  });

  it.each([
    ['/api/v1/features/neighbors', {}, 'feature'],
    ['/api/v1/features/neighbors', { feature, by: 'sound' }, 'by'],
    ['/api/v1/features/neighbors', { feature, by: 'label', texts: ['a text'] }, 'texts'],
    [
      '/api/v1/features/neighbors',
      { feature, by: 'cofiring', texts: Array.from({ length: 200 }, () => 'a '.repeat(100)) },
      'texts',
    ],
    ['/api/v1/features/neighbors', { feature, limit: 0 }, 'limit'],
    ['/api/v1/features/virtual-weights', { feature, tokens: [] }, 'tokens'],
    ['/api/v1/sources/compare', { a: 'x' }, 'b'],
    ['/api/v1/sources/compare', { a: 'x', b: 'y', by: 'activation' }, 'texts'],
    ['/api/v1/sources/compare', { a: 'x', b: 'y', texts: ['a text'] }, 'texts'],
  ])('are refused: %s %j', async (path, body, param) => {
    const response = await app().post(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ param });
  });
});

describe('sources', () => {
  it('are listed with what is known of them', async () => {
    const card = { id: 'toy-chat/3-res', hook_point: 'blocks.3.hook_resid_post', hash: 'feed', resident_bytes: 256 };
    expect(await (await app().get('/api/v1/sources')).json()).toMatchObject({ sources: [card] });
    expect(await (await app().get('/api/v1/sources/toy-chat/3-res')).json()).toMatchObject(card);
    expect((await app().get('/api/v1/sources/toy-chat/4-res')).status).toBe(404);
  });

  it('are found in the catalog', async () => {
    const found = await (await app().get('/api/v1/sources/catalog?q=toy')).json();
    expect(found).toMatchObject({
      releases: [{ release: 'toy-res', hook_points: [expect.any(String)], centred: true }],
    });
    expect(await (await app().get('/api/v1/sources/catalog?q=none')).json()).toEqual({ releases: [] });
  });

  it('are compared', async () => {
    const response = await app().post('/api/v1/sources/compare', { a: '3-res', b: '5-res', pairs: 1 });
    expect(await response.json()).toEqual({
      ...{ a: '3-res', b: '5-res', by: 'decoder', tokens: null, stability: 0.5 },
      ...{ features_of_a: 8, features_of_b: 4, compared_of_a: 7, compared_of_b: 3 },
      greedy: expect.objectContaining({ mean_similarity: 0.5 }),
      optimal: {
        mean_similarity: 0.5,
        median_similarity: 0.4,
        found: [{ threshold: 0.5, pairs: 1, share_of_a: 0.125, share_of_b: 0.25 }],
      },
      pairs: [{ a: 1, b: 2, similarity: 0.75 }],
      split_in_b: { count: 1, best: [{ feature: 1, parts: [{ feature: 2, similarity: 0.5 }] }] },
      split_in_a: { count: 0, best: [] },
      absorbed_in_b: {
        count: 1,
        best: [{ feature: 1, into: 2, similarity: 0.5, paired_with: 3, pair_similarity: 0.75 }],
      },
      absorbed_in_a: { count: 0, best: [] },
    });
    expect((await app().post('/api/v1/sources/compare', { a: '3-res', b: 'none' })).status).toBe(404);
    const texts = ['one text', 'another'];
    const read = await app().post('/api/v1/sources/compare', { a: '3-res', b: '5-res', by: 'activation', texts });
    expect(await read.json()).toMatchObject({ by: 'activation', tokens: 2 });
    expect(asked.at(-1)).toMatchObject({ model: null, a: '3-res', b: '5-res' });
  });
});
