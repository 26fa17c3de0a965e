import { describe, expect, it } from 'vitest';
import { TillerError } from '../../../engine/core/index.ts';
import { createRoutes } from '../../../routes/index.ts';
import type { JobRequest, JobView, Services } from '../../../routes/services.ts';
import { fakeServices } from '../../harness/fake-services.ts';

const view: JobView = {
  ...{ id: 'j', kind: 'activations', model: 'toy-chat', parameters: { limit: 3 }, state: 'running', done: 1, total: 2 },
  ...{ summary: null, error: null, cancelling: false, addedAt: 1000, startedAt: 2000, endedAt: null },
};

function setUp() {
  const submitted: JobRequest[] = [];
  const known = (id: string) => {
    if (id !== 'j') throw new TillerError('job_not_found', `no job ${id}`, { param: 'id' });
    return view;
  };
  const jobs: Services['jobs'] = {
    kinds: () => [{ name: 'activations', summary: 's' }],
    submit: async (request) => {
      submitted.push(request);
      return { ...view, state: 'queued', startedAt: null };
    },
    list: (state) => (state === null || state === view.state ? [view] : []),
    get: known,
    cancel: (id) => ({ ...known(id), cancelling: true }),
    remove: known,
    results: async (id, format) => {
      known(id);
      const text = format === 'jsonl' ? '{"key":"0"}\n' : 'tensors';
      const contentType = format === 'jsonl' ? 'application/x-ndjson' : 'application/vnd.safetensors';
      return { contentType, bytes: text.length, stream: () => new Response(text).body as ReadableStream<Uint8Array> };
    },
  };
  const app = createRoutes(fakeServices({ jobs }).services);
  const ask = (path: string, body?: unknown, init: RequestInit = {}) =>
    app.request(`/api/v1/jobs${path}`, {
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      ...init,
    });
  return { submitted, ask };
}

describe('/api/v1/jobs', () => {
  it('queues, lists, shows, cancels and forgets', async () => {
    const { submitted, ask } = setUp();
    const inputs = [{ text: 'a' }, { messages: [{ role: 'user', content: 'b' }] }];
    const answer = await ask('', { kind: 'activations', parameters: { limit: 3 }, inputs });
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({
      id: 'j',
      state: 'queued',
      created: '1970-01-01T00:00:01.000Z',
      started: null,
    });
    expect(submitted).toEqual([{ kind: 'activations', model: null, parameters: { limit: 3 }, inputs, file: null }]);
    expect(await (await ask('')).json()).toMatchObject({ jobs: [{ id: 'j' }], kinds: [{ name: 'activations' }] });
    expect(await (await ask('?state=done')).json()).toMatchObject({ jobs: [] });
    expect(await (await ask('/j')).json()).toMatchObject({ done: 1, total: 2, started: '1970-01-01T00:00:02.000Z' });
    expect(await (await ask('/j/cancel', {})).json()).toMatchObject({ cancelling: true });
    expect(await (await ask('/j', undefined, { method: 'DELETE' })).json()).toEqual({ id: 'j', deleted: true });
  });

  it('gives results as JSON lines, or as tensors by Accept', async () => {
    const { ask } = setUp();
    const lines = await ask('/j/results');
    expect(lines.headers.get('content-type')).toBe('application/x-ndjson');
    expect(await lines.text()).toBe('{"key":"0"}\n');
    const tensors = await ask('/j/results', undefined, { headers: { Accept: 'application/vnd.safetensors' } });
    expect(await tensors.text()).toBe('tensors');
  });

  it('refuses what is no job, and lines that are none, by name', async () => {
    const { ask } = setUp();
    const missing = await ask('/k');
    expect([missing.status, await missing.json()]).toMatchObject([404, { code: 'job_not_found' }]);
    const bad = await ask('', { kind: 'activations', inputs: [{ text: 'a' }, { txt: 'b' }] });
    expect([bad.status, await bad.json()]).toMatchObject([400, { param: expect.stringMatching(/^inputs\[1\]/) }]);
    expect((await ask('', { kind: 'activations', inputs: [], extra: 1 })).status).toBe(400);
    expect((await ask('?state=lost')).status).toBe(400);
  });
});
