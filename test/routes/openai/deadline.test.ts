import { describe, expect, it } from 'vitest';
import { TillerError } from '../../../engine/core/index.ts';
import { fakeApp, sseData } from '../../harness/http.ts';

const chat = '/v1/chat/completions';
const completions = '/v1/completions';
const bodies = { [chat]: { messages: [{ role: 'user', content: 'hi' }] }, [completions]: { prompt: 'hi' } };
const late = async (_: unknown, index: number) => {
  if (index === 2) throw new TillerError('deadline_exceeded', 'The deadline passed before the reply was complete.');
};

describe.each(Object.entries(bodies))('timeout_seconds of %s', (path, body) => {
  it('becomes the deadline of every choice; without it there is none', async () => {
    const fake = fakeApp();
    const before = Date.now();
    await fake.post(path, { ...body, n: 2, timeout_seconds: 1.5 });
    await fake.post(path, { ...body, timeout_seconds: null });
    const [first, second, third] = fake.engine.requests.map(({ deadline }) => deadline);
    expect(first).toBe(second);
    expect((first ?? 0) - before).toBeGreaterThanOrEqual(1500);
    expect((first ?? 0) - Date.now()).toBeLessThanOrEqual(1500);
    expect(third).toBeNull();
  });

  it('is 504 when it passes, in a stream that has begun an error event', async () => {
    const whole = await fakeApp({ beforeToken: late }).post(path, { ...body, timeout_seconds: 1 });
    expect(whole.status).toBe(504);
    expect(await whole.json()).toMatchObject({ error: { code: 'deadline_exceeded', type: 'server_error' } });
    const fake = fakeApp({ beforeToken: late });
    const stream = await fake.post(path, { ...body, timeout_seconds: 1, stream: true });
    expect(stream.status).toBe(200);
    const data = sseData(await stream.text());
    expect(JSON.parse(data.at(-2) ?? '')).toMatchObject({ error: { code: 'deadline_exceeded' } });
    expect(data.at(-1)).toBe('[DONE]');
    expect([fake.gone, fake.unexpected]).toEqual([[], []]);
  });

  it.each([0, -1, 86_401, 'soon'])('%s is refused by name', async (timeout_seconds) => {
    const response = await fakeApp().post(path, { ...body, timeout_seconds });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_request', param: 'timeout_seconds' } });
  });
});

describe('a request that waited too long in the queue', () => {
  it('is 503 with Retry-After', async () => {
    const fake = fakeApp({
      beforeToken: async () => {
        throw new TillerError('queue_timeout', 'No row was free for 3 s.', { retryAfterSeconds: 3 });
      },
    });
    const response = await fake.post(chat, bodies[chat]);
    expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '3']);
    expect(await response.json()).toMatchObject({
      error: { code: 'queue_timeout', type: 'service_unavailable_error' },
    });
  });
});

describe('a reply that breaks down', () => {
  it('ends with an error event; the streams beside it go on', async () => {
    const fake = fakeApp({
      reply: ({ sampling }) => `reply ${sampling.seed} is longer than three tokens`,
      beforeToken: async ({ sampling }, index) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (sampling.seed === 2 && index === 3) {
          throw new TillerError('step_failed', 'The logits are not finite numbers, so no token can be chosen.');
        }
      },
    });
    const streams = await Promise.all(
      [1, 2, 3].map((seed) => fake.post(chat, { ...bodies[chat], stream: true, seed })),
    );
    const [first, broken, third] = (await Promise.all(streams.map((stream) => stream.text()))).map(sseData);
    const text = (data: readonly string[] = []) =>
      data
        .filter((event) => event !== '[DONE]')
        .map((event) => JSON.parse(event).choices?.[0]?.delta.content ?? '')
        .join('');
    expect(text(first)).toBe('reply 1 is longer than three tokens');
    expect(text(third)).toBe('reply 3 is longer than three tokens');
    expect(text(broken)).toBe('rep');
    expect(JSON.parse(broken?.at(-2) ?? '')).toMatchObject({ error: { code: 'step_failed' } });
    expect(broken?.at(-1)).toBe('[DONE]');
  });
});
