import { describe, expect, it } from 'vitest';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/sources/toy-chat/3-res/evaluate';

describe('evaluating a source', () => {
  it('answers its health in snake case', async () => {
    const response = await fakeApp().post(path, { texts: ['the cat sat', 'and more'] });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      source: 'toy-chat/3-res',
      texts: 2,
      explained_variance: 0.5,
      l0: 3,
      silent_features: 1,
      loss: { plain: 2, spliced: 3, zeroed: 6 },
      loss_recovered: 0.75,
    });
  });

  it.each([
    [path, { texts: [] }, 400, 'invalid_request', 'texts'],
    [path, { texts: [''] }, 400, 'invalid_request', 'texts[0]'],
    [path, { text: 'a' }, 400, 'unknown_field', 'text'],
    [path, { texts: Array.from({ length: 200 }, () => 'a '.repeat(100)) }, 400, 'invalid_request', 'texts'],
    ['/api/v1/sources/toy-chat/9-res/evaluate', { texts: ['a b'] }, 404, 'source_not_found', 'source'],
    ['/api/v1/sources/nobody/3-res/evaluate', { texts: ['a b'] }, 404, 'model_not_found', 'model'],
  ])('%s refuses %j', async (where, body, status, code, param) => {
    const response = await fakeApp().post(where, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, param });
  });
});
