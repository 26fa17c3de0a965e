import { describe, expect, it } from 'vitest';
import {
  type ChatChunk,
  type ChatCompletion,
  chatChunkSchema,
  chatCompletionSchema,
} from '../../../routes/openai/schemas/chat.ts';
import { fakeApp, sseData } from '../../harness/http.ts';
import { toyTokenizer } from '../../harness/toy-model.ts';

const path = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'hi' }];
const prompt = '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n';
const promptIds = toyTokenizer().encode(prompt, { addSpecialTokens: false });

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const answer = async (response: Response): Promise<ChatCompletion> => {
  expect(response.status).toBe(200);
  return chatCompletionSchema.parse(await response.json());
};

describe('an answer', () => {
  it('renders the conversation, fills the context by default and reports usage and the seed', async () => {
    const fake = fakeApp();
    const { choices, usage, seed, ...rest } = await answer(await fake.post(path, { messages }));
    const request = fake.engine.requests[0];
    expect(request?.promptTokenIds).toEqual(promptIds);
    expect(request?.stop.maxTokens).toBe(512 - promptIds.length);
    expect(request?.sampling).toMatchObject({ temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, seed });
    const text = `Hi 🌍, seed ${seed}.`;
    expect(choices).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
        stop_reason: null,
      },
    ]);
    const completion = Buffer.byteLength(text) + 1;
    expect(usage).toEqual({
      prompt_tokens: promptIds.length,
      completion_tokens: completion,
      total_tokens: promptIds.length + completion,
      prompt_tokens_details: { cached_tokens: 0 },
    });
    expect(rest).toMatchObject({
      object: 'chat.completion',
      model: 'toy-chat',
      system_fingerprint: '0123456789ab-f32-tiller',
    });
    expect(rest).not.toHaveProperty('steering');
    expect(rest).not.toHaveProperty('warnings');
  });

  it('passes every sampling and stop field on', async () => {
    const fake = fakeApp();
    await answer(
      await fake.post(path, {
        messages,
        max_completion_tokens: 20,
        min_tokens: 2,
        temperature: 0,
        top_p: 0.9,
        top_k: 40,
        min_p: 0.05,
        seed: -3,
        stop: 'seed',
        stop_token_ids: [65],
        ignore_eos: true,
        include_stop_str_in_output: true,
        presence_penalty: 1,
        frequency_penalty: -1,
        repetition_penalty: 1.2,
        logit_bias: { 65: -100, 258: 3.5 },
        user: 'me',
        metadata: { a: 'b' },
        store: true,
        tools: [],
        tool_choice: 'none',
        response_format: { type: 'text' },
        modalities: ['text'],
      }),
    );
    const request = fake.engine.requests[0];
    expect(request?.sampling).toEqual({
      temperature: 0,
      topP: 0.9,
      topK: 40,
      minP: 0.05,
      repetitionPenalty: 1.2,
      frequencyPenalty: -1,
      presencePenalty: 1,
      logitBias: new Map([
        [65, -100],
        [258, 3.5],
      ]),
      seed: -3,
    });
    expect(request?.stop).toEqual({
      maxTokens: 20,
      minTokens: 2,
      strings: ['seed'],
      tokenIds: [65],
      ignoreEos: true,
      includeStopString: true,
    });
    expect(request?.logprobs).toBeNull();
  });

  it('reads null as absent, top_k -1 as off and top_p 0 as the most likely token', async () => {
    const fake = fakeApp();
    const nothing = {
      max_tokens: null,
      temperature: null,
      seed: null,
      stop: null,
      logit_bias: null,
      steering: null,
      tools: null,
    };
    await answer(await fake.post(path, { messages, ...nothing, top_k: -1, top_p: 0 }));
    await answer(await fake.post(path, { messages, top_k: -1 }));
    expect(fake.engine.requests.map(({ sampling }) => [sampling.topP, sampling.topK])).toEqual([
      [1, 1],
      [1, 0],
    ]);
  });

  it('gives n choices with seeds counted up from the first', async () => {
    const fake = fakeApp();
    const { choices, usage, seed } = await answer(await fake.post(path, { messages, n: 3, seed: 7 }));
    expect(seed).toBe(7);
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'Hi 🌍, seed 7.'],
      [1, 'Hi 🌍, seed 8.'],
      [2, 'Hi 🌍, seed 9.'],
    ]);
    expect(usage.prompt_tokens).toBe(promptIds.length);
    expect(usage.completion_tokens).toBe(3 * (Buffer.byteLength('Hi 🌍, seed 7.') + 1));
    expect(new Set(fake.engine.requests.map(({ id }) => id)).size).toBe(3);
  });

  it('names the stop string that ended it', async () => {
    const { choices } = await answer(await fakeApp().post(path, { messages, stop: ['z', 'seed'] }));
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: 'seed' });
  });

  it('gives log-probabilities with the exact bytes of tokens that are half a character', async () => {
    const fake = fakeApp({ reply: () => 'é' });
    const { choices } = await answer(await fake.post(path, { messages, logprobs: true, top_logprobs: 2 }));
    expect(choices[0]?.logprobs?.content).toHaveLength(3);
    expect(choices[0]?.logprobs?.content[0]).toEqual({
      token: '\uFFFD',
      logprob: -0.5,
      bytes: [0xc3],
      top_logprobs: [
        { token: '\uFFFD', logprob: -0.5, bytes: [0xc3] },
        { token: '\uFFFD', logprob: -1.5, bytes: [0xc4] },
      ],
    });
    expect(fake.engine.requests[0]).toMatchObject({ logprobs: 2, promptLogprobs: null });
  });

  it('gives the chosen token alone where logprobs come without a number', async () => {
    const { choices } = await answer(await fakeApp({ reply: () => 'a' }).post(path, { messages, logprobs: true }));
    expect(choices[0]?.logprobs?.content[0]).toEqual({ token: 'a', logprob: -0.5, bytes: [97], top_logprobs: [] });
  });

  it('lists what had no effect', async () => {
    const named = [{ role: 'user', content: 'hi', name: 'Ann' }];
    const { warnings } = await answer(await fakeApp().post(path, { messages: named, verbosity: 'low' }));
    expect(warnings?.map(({ param }) => param)).toEqual(['verbosity', 'messages[0].name']);
  });

  it('joins text parts and reads developer as system', async () => {
    const fake = fakeApp();
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ];
    await answer(
      await fake.post(path, {
        messages: [
          { role: 'developer', content: 'Shout.' },
          { role: 'user', content: parts },
        ],
      }),
    );
    const text = toyTokenizer().decode(fake.engine.requests[0]?.promptTokenIds ?? [], { skipSpecial: false });
    expect(text).toBe(
      '<|im_start|>system\nShout.<|im_end|>\n<|im_start|>user\na\nb<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('continues the final message where asked', async () => {
    const fake = fakeApp();
    const conversation = [...messages, { role: 'assistant', content: 'Once upon' }];
    await answer(
      await fake.post(path, { messages: conversation, continue_final_message: true, add_generation_prompt: false }),
    );
    const text = toyTokenizer().decode(fake.engine.requests[0]?.promptTokenIds ?? [], { skipSpecial: false });
    expect(text.endsWith('<|im_start|>assistant\nOnce upon')).toBe(true);
  });

  it("gives the template its own variables, in the spans' renderings too", async () => {
    const given: unknown[] = [];
    const fake = fakeApp({
      chatTemplate: {
        render: (turns, { variables }) => {
          given.push(variables);
          return turns.map(({ content }) => content).join('');
        },
      },
    });
    const body = { messages, chat_template_kwargs: { enable_thinking: false }, add_generation_prompt: false };
    await answer(await fake.post(path, { ...body, continue_final_message: true }));
    expect((await fake.post('/tokenize', body)).status).toBe(200);
    await answer(await fake.post(path, { messages }));
    const thinking = { enable_thinking: false };
    expect(given).toEqual([thinking, thinking, thinking, {}]);
    expect((await fake.post(path, { messages, chat_template_kwargs: [] })).status).toBe(400);
  });

  it("tells a template's own refusal as a bad request", async () => {
    const fake = fakeApp({
      chatTemplate: {
        render: () => {
          throw new Error('roles must alternate');
        },
      },
    });
    const response = await fake.post(path, { messages });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_request', param: 'messages', message: expect.stringContaining('roles must alternate') },
    });
  });
});

describe('a steered answer', () => {
  const steering = { edits: [{ feature: 'toy-chat/3-res/1', mode: 'add', strength: 1.5, positions: 'generated' }] };

  it('passes the edits on and says what was done', async () => {
    const fake = fakeApp();
    const body = await answer(await fake.post(path, { messages, steering, seed: 1, n: 2, max_tokens: 4 }));
    expect(fake.steeringRequests).toEqual([
      {
        edits: [
          {
            feature: 'toy-chat/3-res/1',
            mode: 'add',
            number: 1.5,
            unit: null,
            positions: 'generated',
            skipSpecial: false,
            onlyIfActive: false,
            param: 'steering.edits[0]',
          },
        ],
      },
    ]);
    expect(fake.engine.requests.map(({ edits }) => edits.length)).toEqual([1, 1]);
    expect(body.steering).toMatchObject({
      edits: [{ target: 'toy-chat/3-res/1', mode: 'add', positions: 'generated', tokens: 2 * (promptIds.length + 3) }],
      fingerprint: { model: 'toy-chat', seeds: [1, 2] },
    });
  });

  it('takes a profile from the model name and adds edits to it', async () => {
    const fake = fakeApp();
    const body = await answer(await fake.post(path, { model: 'toy-chat@pirate:1', messages, steering }));
    expect(fake.steeringRequests[0]?.profile).toBe('pirate:1');
    expect(body.model).toBe('toy-chat@pirate:1');
    expect(body.steering?.edits).toHaveLength(2);
  });

  it('takes a vector of its own', async () => {
    const fake = fakeApp();
    const data = Buffer.from(new Float32Array([1, -2, 0.5, 3]).buffer).toString('base64');
    const vector = { hook_point: 'blocks.3.hook_resid_post', data };
    await answer(await fake.post(path, { messages, steering: { edits: [{ vector, mode: 'ablate', unit: 'raw' }] } }));
    expect(fake.steeringRequests[0]?.edits[0]).toMatchObject({
      vector: { hookPoint: 'blocks.3.hook_resid_post', data: new Float32Array([1, -2, 0.5, 3]) },
      number: null,
      unit: 'raw',
      positions: 'all_but_first',
    });
  });

  it('carries a steering block even where the steering is empty', async () => {
    const body = await answer(await fakeApp().post(path, { messages, steering: {} }));
    expect(body.steering?.edits).toEqual([]);
  });
});

describe('a stream', () => {
  const chunks = async (response: Response) => {
    expect(response.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
    const data = sseData(await response.text());
    expect(data.at(-1)).toBe('[DONE]');
    return data.slice(0, -1).map((event) => chatChunkSchema.parse(JSON.parse(event)));
  };

  it('begins with the role, gives the same text as the whole answer and ends with the finish chunk', async () => {
    const got = await chunks(await fakeApp().post(path, { messages, seed: 3, stream: true }));
    expect(got[0]?.choices).toEqual([
      { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
    ]);
    expect(got.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('Hi 🌍, seed 3.');
    expect(got.at(-1)?.choices).toEqual([
      { index: 0, delta: {}, logprobs: null, finish_reason: 'stop', stop_reason: null },
    ]);
    expect(got.at(-1)?.seed).toBe(3);
    expect(got.every((chunk) => !('usage' in chunk))).toBe(true);
    expect(new Set(got.map(({ id }) => id)).size).toBe(1);
  });

  it('interleaves choices and carries steering and warnings in the finish chunk of the last one', async () => {
    const steering = { edits: [{ feature: 'toy-chat/3-res/1', mode: 'ablate' }] };
    const got = await chunks(await fakeApp().post(path, { messages, seed: 3, n: 2, stream: true, steering, foo: 1 }));
    for (const index of [0, 1]) {
      const own = got.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe(`Hi 🌍, seed ${3 + index}, steered by 1.`);
      expect(own.filter(({ finish_reason }) => finish_reason !== null)).toHaveLength(1);
    }
    expect(got.slice(2, 6).map(({ choices }) => choices[0]?.index)).toEqual([0, 1, 0, 1]);
    expect(got.slice(0, -1).some((chunk) => chunk.steering || chunk.warnings || chunk.seed !== undefined)).toBe(false);
    expect(got.at(-1)?.steering?.fingerprint.seeds).toEqual([3, 4]);
    expect(got.at(-1)?.warnings).toHaveLength(1);
  });

  it('gives usage in a last chunk of its own, and null before', async () => {
    const body = { messages, max_tokens: 4, stream: true, stream_options: { include_usage: true } };
    const got = await chunks(await fakeApp().post(path, body));
    expect(got.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: promptIds.length, completion_tokens: 4, total_tokens: promptIds.length + 4 },
    });
    expect(got.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('counts up in every chunk where asked', async () => {
    const stream_options = { include_usage: true, continuous_usage_stats: true };
    const got = await chunks(
      await fakeApp({ reply: () => 'abc', beforeToken: nextTurn }).post(path, {
        messages,
        stream: true,
        stream_options,
      }),
    );
    expect(got.map(({ usage }) => usage?.completion_tokens)).toEqual([0, 1, 2, 3, 4, 4]);
  });

  it('joins what waits for a reader: fewer chunks, the same text, log-probabilities and usage', async () => {
    const reply = 'Once upon a time 🌍 there was an ü.';
    const body = { messages, stream: true, logprobs: true, stream_options: { include_usage: true } };
    const fast = await chunks(await fakeApp({ reply: () => reply, beforeToken: nextTurn }).post(path, body));
    const response = await fakeApp({ reply: () => reply }).post(path, body);
    // the reply is complete before anything of it is read
    await nextTurn();
    const slow = await chunks(response);
    expect(slow.length).toBeLessThan(fast.length / 4);
    const told = (got: readonly ChatChunk[]) => ({
      text: got.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
      logprobs: got.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []),
      finish: got.flatMap(({ choices }) => choices[0]?.finish_reason ?? []),
      usage: got.at(-1)?.usage,
    });
    expect(told(slow)).toEqual(told(fast));
    expect(told(slow).text).toBe(reply);
  });

  it('gives every token its log-probability, also while its text is held back', async () => {
    const got = await chunks(
      await fakeApp({ reply: () => 'é' }).post(path, { messages, stream: true, logprobs: true }),
    );
    const tokens = got.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []);
    expect(tokens.map(({ bytes }) => bytes)).toEqual([[0xc3], [0xa9], [...Buffer.from('<|im_end|>')]]);
  });

  it('answers what fails before the first event with its status, what fails later inside the stream', async () => {
    const fail = (at: number) =>
      fakeApp({
        beforeToken: async (_, index) => {
          if (index === at) throw new Error('a kernel failed');
        },
      });
    const fake = fail(2);
    const response = await fake.post(path, { messages, stream: true });
    expect(response.status).toBe(200);
    const data = sseData(await response.text());
    expect(data.at(-1)).toBe('[DONE]');
    expect(JSON.parse(data.at(-2) ?? '')).toMatchObject({ error: { type: 'server_error', code: 'internal' } });
    expect(data.at(-2)).not.toContain('kernel');
    expect(fake.gone).toEqual([]);
    expect(fake.unexpected).toMatchObject([{ message: 'a kernel failed' }]);
    const whole = await fail(0).post(path, { messages });
    expect(whole.status).toBe(500);
  });
});
