import { afterEach, describe, expect, it } from 'vitest';
import { createEndpointLabeller, type EndpointOptions } from '../../../src/labelling/endpoint-labeller.ts';
import { retryAfter } from '../../../src/labelling/endpoint-request.ts';
import { RateGate } from '../../../src/labelling/rate-gate.ts';
import { Spending } from '../../../src/labelling/spending.ts';
import { completion, type FakeEndpoint, fakeEndpoint, type ScriptedAnswer } from './fake-endpoint.ts';

const open: FakeEndpoint[] = [];
afterEach(async () => {
  for (const endpoint of open.splice(0)) await endpoint.close();
});

/** A labeller at an endpoint that answers so, in this order; the last answer is given again. */
async function labellerAt(answers: readonly ScriptedAnswer[], changes: Partial<EndpointOptions> = {}) {
  const fake = await fakeEndpoint(({ number }) => answers[Math.min(number, answers.length - 1)] as ScriptedAnswer);
  open.push(fake);
  const notices: string[] = [];
  const spending = new Spending();
  const labeller = createEndpointLabeller({
    endpoint: fake.endpoint,
    model: 'judge',
    key: null,
    answerTokens: 50,
    timeoutMilliseconds: 30_000,
    retries: 3,
    firstRetryMilliseconds: 1,
    gate: new RateGate({ requestsPerMinute: null, tokensPerMinute: null }),
    spending,
    onNotice: (line) => notices.push(line),
    ...changes,
  });
  return { fake, notices, spending, ask: () => labeller.ask({ system: 'You judge.', user: 'Well?' }) };
}

const failure = (status: number, message: string, code: string | null = null, headers = {}) => ({
  status,
  headers,
  body: JSON.stringify({ error: { message, code } }),
});

describe('a labeller behind an endpoint', () => {
  it('asks as any OpenAI client does, and counts what it took', async () => {
    const { fake, ask, spending } = await labellerAt(['Fine.'], { key: 'sk-secret' });
    expect(await ask()).toBe('Fine.');
    expect(fake.questions[0]).toMatchObject({ system: 'You judge.', user: 'Well?' });
    expect(fake.questions[0]?.body).toMatchObject({ model: 'judge', max_tokens: 50, temperature: 0 });
    expect(fake.questions[0]?.headers.authorization).toBe('Bearer sk-secret');
    expect(spending).toMatchObject({ requests: 1, prompt: 100, answer: 10, estimated: 0 });
  });

  it('sends no key where there is none', async () => {
    const { fake, ask } = await labellerAt(['Fine.']);
    await ask();
    expect(fake.questions[0]?.headers).not.toHaveProperty('authorization');
  });

  it('estimates where the endpoint does not say what it took', async () => {
    const { ask, spending } = await labellerAt([{ body: '{"choices": [{"message": {"content": "12345678"}}]}' }]);
    expect(await ask()).toBe('12345678');
    expect(spending).toMatchObject({ requests: 1, prompt: 4, answer: 2, estimated: 1 });
  });

  it.each([
    ['an overload', failure(503, 'overloaded')],
    ['a rate limit', failure(429, 'slow down')],
    ['a broken connection', { never: 'connects' as const }],
    ['an answer that does not come', { never: 'answers' as const }],
    ['a page in place of an answer', { body: '<html>' }],
    ['half an answer', { body: completion('Fine.').slice(0, 30) }],
    ['an answer without choices', { body: '{"choices": []}' }],
  ])('tries again after %s', async (what, first) => {
    const timeoutMilliseconds = what === 'an answer that does not come' ? 1_000 : 30_000;
    const { fake, ask, spending } = await labellerAt([first, 'Fine.'], { timeoutMilliseconds });
    expect(await ask()).toBe('Fine.');
    expect(fake.questions).toHaveLength(2);
    expect(spending.requests).toBe(1);
  });

  it('waits as long as Retry-After says, and nobody else asks meanwhile', async () => {
    const { fake, ask } = await labellerAt([failure(429, 'slow down', null, { 'Retry-After': '0.4' }), 'Fine.']);
    const begun = performance.now();
    await ask();
    expect(performance.now() - begun).toBeGreaterThanOrEqual(395);
    expect(fake.questions).toHaveLength(2);
  });

  it('tells of long waits', async () => {
    const closed: number[] = [];
    const gate = new RateGate({ requestsPerMinute: null, tokensPerMinute: null });
    gate.close = (milliseconds) => closed.push(milliseconds);
    const { ask, notices } = await labellerAt([failure(429, 'slow down', null, { 'Retry-After': '30' }), 'x'], {
      gate,
    });
    await ask();
    expect(closed).toEqual([30_000]);
    expect(notices).toEqual(['the endpoint answers 429: slow down. Waiting 30 s.']);
  });

  it.each([
    [
      'a wrong key',
      failure(401, 'bad key'),
      'labeller_refused',
      /answers 401: bad key\. The key is read from TILLER_LABELLER_KEY\.$/,
    ],
    ['an unknown model', failure(404, 'no model judge'), 'labeller_refused', /no model judge/],
    ['a spent quota', failure(429, 'pay', 'insufficient_quota'), 'labeller_refused', /pay/],
    ['a redirection', { status: 307, headers: { Location: 'http://127.0.0.1:9/' } }, 'labeller_refused', /answers 307/],
    ['a prompt that is too long', failure(400, 'too long'), 'labeller_unavailable', /too long/],
  ])('does not try again after %s', async (_what, answer, code, message) => {
    const { fake, ask } = await labellerAt([answer]);
    await expect(ask()).rejects.toMatchObject({ code, message });
    expect(fake.questions).toHaveLength(1);
  });

  it('gives up after its retries, naming the address and the reason', async () => {
    const { fake, ask } = await labellerAt([failure(500, 'broken')]);
    await expect(ask()).rejects.toMatchObject({
      code: 'labeller_unavailable',
      message: `${fake.endpoint}/chat/completions: the endpoint answers 500: broken.`,
    });
    expect(fake.questions).toHaveLength(4);
  });

  it('says that nobody listens', async () => {
    const { fake, ask } = await labellerAt(['Fine.'], { retries: 0 });
    await fake.close();
    await expect(ask()).rejects.toMatchObject({
      code: 'labeller_unavailable',
      message: /cannot be reached: .*ECONNREFUSED/,
    });
  });

  it('speaks to models that refuse max_tokens and a temperature', async () => {
    const { fake, ask } = await labellerAt([
      failure(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
      failure(400, "Unsupported value: 'temperature' does not support 0 with this model."),
      'Fine.',
    ]);
    expect(await ask()).toBe('Fine.');
    expect(fake.questions[2]?.body).toMatchObject({ max_completion_tokens: 50 });
    expect(Object.keys(fake.questions[2]?.body ?? {}).toSorted()).toEqual([
      'max_completion_tokens',
      'messages',
      'model',
    ]);
    await ask();
    expect(fake.questions).toHaveLength(4);
  });

  it('takes silence for an empty answer', async () => {
    const { ask } = await labellerAt([{ body: '{"choices": [{"message": {"content": null}}]}' }]);
    expect(await ask()).toBe('');
  });
});

describe('Retry-After', () => {
  const at = (headers: Record<string, string>) => retryAfter(new Headers(headers), Date.parse('2026-01-01T00:00:00Z'));
  it.each([
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after-ms': '250', 'retry-after': '3' }, 250],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:07 GMT' }, 7000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, null],
    [{}, null],
  ])('%j is %j ms', (headers, milliseconds) => {
    expect(at(headers as Record<string, string>)).toBe(milliseconds);
  });
});
