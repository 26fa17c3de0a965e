import { describe, expect, it } from 'vitest';
import { listen } from '../../../src/server.ts';
import { fakeApp } from '../../harness/http.ts';

const completions = '/v1/completions';
const json = { 'Content-Type': 'application/json' };

describe('a JSON body', () => {
  it('that is not UTF-8 is refused, not read as something else', async () => {
    const { app } = fakeApp();
    const body = Buffer.from('{"prompt": "caf\xe9"}', 'latin1');
    const response = await app.request(completions, { method: 'POST', headers: json, body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_json', message: expect.stringMatching(/UTF-8/) },
    });
  });

  it('may begin with a byte order mark', async () => {
    const { post } = fakeApp();
    expect((await post(completions, '\u{FEFF}{"prompt": "a"}')).status).toBe(200);
  });

  it.each([
    ['in an array', `{"prompt": [${'1,'.repeat(70_000)}1]}`],
    ['in an object', `{"prompt": "a", "logit_bias": {${Array.from({ length: 70_000 }, (_, i) => `"${i}":1`)}}}`],
    ['in depth', `{"prompt": "a", "x": ${'['.repeat(70_000)}${']'.repeat(70_000)}}`],
    ['of the wrong type', `{"prompt": "a", "steering": {"edits": [${'1,'.repeat(200_000)}1]}}`],
  ])('with too many values %s is refused before they are checked', async (_, body) => {
    const { post, unexpected } = fakeApp({ limits: { bodyBytes: 8e6 } });
    const response = await post(completions, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringMatching(/more than 65536 values/) },
    });
    expect(unexpected).toEqual([]);
  });

  it("with the Python client's extra_body in it says where its fields belong", async () => {
    const { post } = fakeApp();
    const response = await post(completions, { prompt: 'a', extra_body: { steering: { edits: [] } } });
    expect(await response.json()).toMatchObject({ error: { code: 'unknown_field', param: 'extra_body' } });
  });

  it.each([
    ['edits', "'steering'"],
    ['feature', "'steering.edits'"],
    ['positions', "'steering.edits'"],
  ])("with a steering's field %s at the top level is refused: the text would go unsteered", async (field, place) => {
    const { post, engine } = fakeApp();
    const response = await post(completions, { prompt: 'a', [field]: 'all' });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error).toMatchObject({ code: 'unknown_field', param: field });
    expect(error.message).toContain(place.slice(1, -1));
    expect(engine.requests).toEqual([]);
  });

  it('whose client leaves while sending it is no failure of the service', async () => {
    const { app, unexpected, observations } = fakeApp();
    const server = await listen({ app, host: '127.0.0.1', port: 0 });
    const client = new AbortController();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(new TextEncoder().encode('{"prompt": '));
        await new Promise((resolve) => setTimeout(resolve, 20));
        client.abort();
      },
    });
    const init = { method: 'POST', headers: json, body, duplex: 'half', signal: client.signal };
    await expect(fetch(server.url + completions, init as RequestInit)).rejects.toThrow();
    while (observations.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.close(1000);
    expect(unexpected).toEqual([]);
    expect(observations.map(({ status }) => status)).toEqual([499]);
    expect(unexpected).toEqual([]);
  });
});
