import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, type RunningServer } from '../../../src/server.ts';
import { fakeApp, gate } from '../../harness/http.ts';

/** The real `openai` package against a listening server: what any OpenAI client needs. */
describe('the official client', () => {
  const fake = fakeApp();
  let server: RunningServer;
  let client: OpenAI;
  beforeAll(async () => {
    server = await listen({ app: fake.app, host: '127.0.0.1', port: 0 });
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 });
  });
  afterAll(() => server.close(0));
  const messages = [{ role: 'user' as const, content: 'hi' }];

  it('lists models', async () => {
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toEqual(['toy-chat', 'toy-chat@pirate']);
  });

  it('gets a chat answer', async () => {
    const answer = await client.chat.completions.create({
      model: 'toy-chat',
      messages,
      seed: 4,
      logprobs: true,
      top_logprobs: 1,
    });
    expect(answer.choices[0]?.message.content).toBe('Hi 🌍, seed 4.');
    expect(answer.usage?.total_tokens).toBeGreaterThan(0);
    expect(answer.choices[0]?.logprobs?.content?.[0]?.token).toBe('H');
  });

  it('streams, steered through an extra field', async () => {
    const steering = { edits: [{ feature: 'toy-chat/3-res/1', mode: 'add', strength: 2 }] };
    const stream = await client.chat.completions.create({
      model: 'toy-chat',
      messages,
      seed: 4,
      stream: true,
      stream_options: { include_usage: true },
      ...{ steering },
    });
    let text = '';
    let block: unknown;
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      block ??= Reflect.get(chunk, 'steering');
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe('Hi 🌍, seed 4, steered by 1.');
    expect(block).toMatchObject({ edits: [{ target: 'toy-chat/3-res/1', mode: 'add' }] });
    expect(usage?.completion_tokens).toBeGreaterThan(0);
  });

  it('accumulates a stream with its own helper', async () => {
    const final = await client.chat.completions
      .stream({ model: 'toy-chat', messages, seed: 4, n: 2 })
      .finalChatCompletion();
    expect(final.choices.map(({ message }) => message.content)).toEqual(['Hi 🌍, seed 4.', 'Hi 🌍, seed 5.']);
  });

  it('completes text, streamed and whole', async () => {
    const whole = await client.completions.create({
      model: 'toy-chat',
      prompt: ['a', 'b'],
      echo: true,
      logprobs: 1,
      seed: 2,
    });
    expect(whole.choices).toHaveLength(2);
    const stream = await client.completions.create({
      model: 'toy-chat',
      prompt: 'a',
      seed: 2,
      stream: true,
      max_tokens: 99,
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
    expect(text).toBe('Hi 🌍, seed 2.');
  });

  it('reads errors as its own types', async () => {
    const unknown = client.chat.completions.create({ model: 'nobody', messages });
    await expect(unknown).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(unknown).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
    const tools = client.chat.completions.create({
      model: 'toy-chat',
      messages,
      tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
    });
    await expect(tools).rejects.toMatchObject({ status: 400, code: 'unsupported', param: 'tools' });
  });

  it('frees the rows of a stream that it abandons', async () => {
    const { opened: never } = gate();
    const abandoned = fakeApp({ beforeToken: (_request, index) => (index === 3 ? never : Promise.resolve()) });
    const other = await listen({ app: abandoned.app, host: '127.0.0.1', port: 0 });
    const own = new OpenAI({ baseURL: `${other.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const stream = await own.chat.completions.create({ model: 'toy-chat', messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    while (abandoned.engine.cancelled.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(abandoned.gone).toEqual(['/v1/chat/completions']);
    await other.close(0);
  });
});
