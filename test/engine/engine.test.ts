import { describe, expect, it } from 'vitest';
import { createEngine, type EngineOptions } from '../../engine/engine.ts';
import { createFakeExecutor, type FakeExecutorOptions } from '../harness/fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from '../harness/fake-tokenizer.ts';
import { generate, read, requestFrom } from '../harness/requests.ts';

const tokenizer = createFakeTokenizer();
const encode = (text: string) => [...tokenizer.encode(text, { addSpecialTokens: false })];

function setUp(options: FakeExecutorOptions = {}, more: Partial<EngineOptions> = {}) {
  const executor = createFakeExecutor(options);
  return {
    executor,
    engine: createEngine({ executor, tokenizer, eosTokenIds: [fakeTokens.eos], queueLimit: 8, ...more }),
  };
}

/** A model that says `text` after any prompt of `promptLength` tokens, then what the hash likes. */
function saying(text: string, promptLength: number): FakeExecutorOptions {
  const reply = encode(text);
  return { script: (history) => reply[history.length - promptLength] ?? null };
}

const prompt = encode('hi');

describe('a reply', () => {
  it('streams its text and ends with the model’s own end, which does not show', async () => {
    const { engine } = setUp(saying('né!<eos>', 2));
    const reply = await generate(engine, { prompt });
    expect(reply.events.map((event) => event.type)).toEqual(['prompt', ...Array(5).fill('token'), 'finish']);
    expect(reply.events.map((event) => (event.type === 'token' ? event.text : '·'))).toEqual([
      '·',
      'n',
      '',
      'é',
      '!',
      '',
      '·',
    ]);
    expect(reply.finish).toMatchObject({
      reason: 'stop',
      stopReason: null,
      text: '',
      promptTokens: 2,
      completionTokens: 5,
      edits: [],
    });
  });

  it('ends at max_tokens and gives out what was held back', async () => {
    const { engine } = setUp(saying('abcSTO', 2));
    const reply = await generate(engine, { prompt, stop: { maxTokens: 6, strings: ['STOP'] } });
    expect(reply.text).toBe('abcSTO');
    expect(reply.finish).toMatchObject({ reason: 'length', stopReason: null, text: 'STO', completionTokens: 6 });
  });

  it('ends at a stop string, without it or with it', async () => {
    const { engine } = setUp(saying('abcSTOPdef', 2));
    const without = await generate(engine, { prompt, stop: { strings: ['x', 'STOP'] } });
    expect(without.text).toBe('abc');
    expect(without.finish).toMatchObject({ reason: 'stop', stopReason: 'STOP', completionTokens: 7 });
    const include = await generate(engine, { prompt, stop: { strings: ['STOP'], includeStopString: true } });
    expect(include.text).toBe('abcSTOP');
  });

  it('ends at a stop token, which shows only where stops are to show', async () => {
    const { engine } = setUp(saying('ab.c', 2));
    const [dot] = encode('.') as [number];
    const without = await generate(engine, { prompt, stop: { tokenIds: [dot] } });
    expect(without.text).toBe('ab');
    expect(without.finish).toMatchObject({ reason: 'stop', stopReason: dot, completionTokens: 3 });
    const include = await generate(engine, { prompt, stop: { tokenIds: [dot], includeStopString: true } });
    expect(include.text).toBe('ab.');
  });

  it('goes past the model’s end when told to', async () => {
    const { engine } = setUp(saying('ab<eos>cd', 2));
    const reply = await generate(engine, { prompt, stop: { ignoreEos: true, maxTokens: 5 } });
    expect(reply.text).toBe('abcd');
    expect(reply.finish?.reason).toBe('length');
  });

  it('does not end before min_tokens: not by itself, by a stop token or by a stop string', async () => {
    const { engine } = setUp({ script: (history) => (history.length < 2 + 4 ? fakeTokens.eos : null) });
    const reply = await generate(engine, { prompt, stop: { minTokens: 4, maxTokens: 8 } });
    expect(reply.tokenIds.slice(0, 4)).not.toContain(fakeTokens.eos);
    expect(reply.tokenIds.length).toBeGreaterThanOrEqual(4);
    const eager = await generate(engine, { prompt, stop: { maxTokens: 8 } });
    expect(eager.tokenIds).toEqual([fakeTokens.eos]);
    const [dot] = encode('.') as [number];
    const dots = setUp({ script: () => dot });
    const stopped = await generate(dots.engine, { prompt, stop: { tokenIds: [dot], minTokens: 3 } });
    expect(stopped.tokenIds.indexOf(dot)).toBe(3);
    const strings = await generate(dots.engine, { prompt, stop: { strings: ['.'], minTokens: 3 } });
    expect(strings.text).toBe('...');
    expect(strings.finish?.completionTokens).toBe(4);
  });

  it('reports log-probabilities of the model’s own distribution', async () => {
    const { engine } = setUp();
    const sampling = { temperature: 0.3, seed: 5, logitBias: new Map([[70, 3]]) };
    const reply = await generate(engine, { prompt, logprobs: 4, sampling });
    const tokens = reply.events.filter((event) => event.type === 'token');
    for (const { logprob, tokenId } of tokens) {
      expect(logprob?.tokenId).toBe(tokenId);
      expect(logprob?.top).toHaveLength(4);
      expect(logprob?.logprob).toBeLessThanOrEqual(logprob?.top[0]?.logprob ?? 0);
      expect(Math.exp(logprob?.logprob ?? 0)).toBeLessThan(1);
    }
    const silent = await generate(engine, { prompt, sampling });
    expect(silent.tokenIds).toEqual(reply.tokenIds);
    expect(silent.events.every((event) => event.type !== 'token' || event.logprob === null)).toBe(true);
  });

  it('echoes the prompt’s log-probabilities across chunks, also without generating anything', async () => {
    const long = encode('a prompt of several chunks');
    const { engine, executor } = setUp({ maxChunk: 7 });
    const reply = await generate(engine, { prompt: long, promptLogprobs: 1, stop: { maxTokens: 0 } });
    expect(reply.events.map((event) => event.type)).toEqual(['prompt', 'finish']);
    const [event] = reply.events;
    const logprobs = event?.type === 'prompt' ? event.logprobs : null;
    expect(logprobs?.map((one) => one?.tokenId ?? null)).toEqual([null, ...long.slice(1)]);
    expect(executor.plans).toHaveLength(4);
    const whole = await generate(setUp({ maxChunk: 64 }).engine, {
      prompt: long,
      promptLogprobs: 1,
      stop: { maxTokens: 1 },
    });
    expect(whole.events[0]).toMatchObject({ logprobs });
    expect(reply.finish).toMatchObject({ reason: 'length', completionTokens: 0 });
  });

  it('needs no logits to read a prompt and say nothing', async () => {
    const { engine, executor } = setUp();
    const reply = await generate(engine, { prompt, stop: { maxTokens: 0 } });
    expect(reply.events).toMatchObject([
      { type: 'prompt', logprobs: null },
      { type: 'finish', reason: 'length' },
    ]);
    expect(executor.plans.map((plan) => plan.rows[0]?.logits)).toEqual(['none']);
  });
});

describe('a consumer', () => {
  it('that is slow holds up nobody, and misses nothing', async () => {
    const { engine } = setUp();
    const slow = engine.submit(requestFrom({ prompt, stop: { maxTokens: 20, ignoreEos: true } }));
    const quick = await generate(engine, { prompt, stop: { maxTokens: 20, ignoreEos: true } });
    expect(engine.statistics().running).toBe(0);
    expect((await read(slow)).tokenIds).toEqual(quick.tokenIds);
  });

  it('may ask for several events at once', async () => {
    const { engine } = setUp(saying('ab', 2));
    const events = engine.submit(requestFrom({ prompt, stop: { maxTokens: 2 } }))[Symbol.asyncIterator]();
    const results = await Promise.all(Array.from({ length: 6 }, () => events.next()));
    expect(results.map(({ done, value }) => (done ? 'done' : value.type))).toEqual([
      'prompt',
      'token',
      'token',
      'finish',
      'done',
      'done',
    ]);
  });
});

describe('requests that make no sense', () => {
  const { engine } = setUp({ context: 32 });
  it.each([
    ['an empty prompt', { prompt: [] }, 'prompt'],
    ['an unknown token', { prompt: [260] }, 'prompt'],
    ['a negative temperature', { prompt, sampling: { temperature: -1 } }, 'temperature'],
    ['a temperature that is no number', { prompt, sampling: { temperature: Number.NaN } }, 'temperature'],
    ['top_p 0', { prompt, sampling: { topP: 0 } }, 'top_p'],
    ['half a top_k', { prompt, sampling: { topK: 1.5 } }, 'top_k'],
    ['min_p 2', { prompt, sampling: { minP: 2 } }, 'min_p'],
    ['repetition penalty 0', { prompt, sampling: { repetitionPenalty: 0 } }, 'repetition_penalty'],
    [
      'infinite frequency penalty',
      { prompt, sampling: { frequencyPenalty: Number.POSITIVE_INFINITY } },
      'frequency_penalty',
    ],
    ['bias for an unknown token', { prompt, sampling: { logitBias: new Map([[999, 1]]) } }, 'logit_bias'],
    ['bias that is no number', { prompt, sampling: { logitBias: new Map([[9, Number.NaN]]) } }, 'logit_bias'],
    ['half a seed', { prompt, sampling: { seed: 0.5 } }, 'seed'],
    ['an empty stop string', { prompt, stop: { strings: [''] } }, 'stop'],
    ['an unknown stop token', { prompt, stop: { tokenIds: [-1] } }, 'stop_token_ids'],
    ['min over max', { prompt, stop: { minTokens: 9, maxTokens: 8 } }, 'min_tokens'],
    ['21 logprobs', { prompt, logprobs: 21 }, 'logprobs'],
    ['negative prompt logprobs', { prompt, promptLogprobs: -1 }, 'prompt_logprobs'],
  ])('are refused at once: %s', (_, sketch, param) => {
    expect(() => engine.submit(requestFrom(sketch))).toThrow(
      expect.objectContaining({ code: 'invalid_request', param }),
    );
  });

  it('are refused when they do not fit the context', () => {
    expect(() => engine.submit(requestFrom({ prompt, stop: { maxTokens: 31 } }))).toThrow(/context is 32 tokens/);
  });

  it('are refused when positions were worked out for another prompt', () => {
    const request = requestFrom({ prompt });
    const positionContext = { ...request.positionContext, promptLength: 3 };
    expect(() => engine.submit({ ...request, positionContext })).toThrow(/another prompt/);
  });
});
