import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/features/search-by-activation';

describe('search by activation', () => {
  it('gives features with the token where they peak, strongest first', async () => {
    const response = await fakeApp().post(path, { text: 'the cat sat', limit: 2 });
    expect(response.status).toBe(200);
    const body = (await response.json()) as { tokens: string[]; sources: { features: { position: number }[] }[] };
    expect(body).toMatchObject({
      model: 'toy-chat',
      by: 'max',
      sources: [{ source: 'toy-chat/3-res', hook_point: 'blocks.3.hook_resid_post', ignored_positions: [0] }],
    });
    const features = body.sources[0]?.features ?? [];
    expect(features).toHaveLength(2);
    const last = body.tokens.length - 1;
    expect(features[0]).toMatchObject({
      value: last,
      max: last,
      mean: last / 2,
      position: last,
      token: body.tokens[last],
    });
  });

  it('reads a conversation, and ranks by what is asked for', async () => {
    const messages = [{ role: 'user', content: 'Hello there' }];
    const response = await fakeApp().post(path, { messages, by: 'mean', sources: ['3-res'] });
    const body = (await response.json()) as { by: string; sources: { features: { value: number; mean: number }[] }[] };
    expect(body.by).toBe('mean');
    for (const { value, mean } of body.sources[0]?.features ?? []) expect(value).toBe(mean);
  });

  it.each([
    [{}, 400, 'invalid_request', 'text'],
    [{ text: 'a b', messages: [{ role: 'user', content: 'x' }] }, 400, 'invalid_request', 'messages'],
    [{ text: 'a b', by: 'sum' }, 400, 'invalid_request', 'by'],
    [{ text: 'a b', limit: 0 }, 400, 'invalid_request', 'limit'],
    [{ text: 'a b', sources: [] }, 400, 'invalid_request', 'sources'],
    [{ text: 'a b', sources: ['9-res'] }, 404, 'source_not_found', 'sources'],
    [{ text: 'a b', model: 'nobody' }, 404, 'model_not_found', 'model'],
    [{ text: 'a b', sorces: ['3-res'] }, 400, 'unknown_field', 'sorces'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 400, 'invalid_request', 'messages[0].role'],
  ])('refuses %j', async (body, status, code, param) => {
    const response = await fakeApp().post(path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, param });
  });

  it('refuses a conversation where there is no chat template', async () => {
    const app = fakeApp({ chatTemplate: null });
    const response = await app.post(path, { messages: [{ role: 'user', content: 'x' }] });
    expect(await response.json()).toMatchObject({ code: 'unsupported', param: 'messages' });
  });
});
