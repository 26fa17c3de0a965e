import { describe, expect, it } from 'vitest';
import {
  type Completion,
  completionChunkSchema,
  completionSchema,
} from '../../../routes/openai/schemas/completions.ts';
import { fakeApp, sseData } from '../../harness/http.ts';
import { specials } from '../../harness/toy-model.ts';

const path = '/v1/completions';
const ask = async (body: unknown, fake = fakeApp({ reply: () => 'yes' })): Promise<Completion> => {
  const response = await fake.post(path, body);
  expect(response.status).toBe(200);
  return completionSchema.parse(await response.json());
};
const ids = (text: string) => [...Buffer.from(text)];

describe('the prompt', () => {
  it.each([
    ['text', 'ab', [ids('ab')]],
    ['texts', ['ab', 'c'], [ids('ab'), ids('c')]],
    ['token ids', [97, specials['<|im_end|>']], [[97, specials['<|im_end|>']]]],
    ['lists of token ids', [[97], [98, 99]], [[97], [98, 99]]],
  ])('may be %s', async (_, prompt, expected) => {
    const fake = fakeApp();
    await ask({ prompt }, fake);
    expect(fake.engine.requests.map(({ promptTokenIds }) => [...promptTokenIds])).toEqual(expected);
  });

  it('gets what the tokenizer itself prepends where it is text, and nothing where it is ids', async () => {
    const fake = fakeApp({ prependBegin: true });
    await ask({ prompt: 'a' }, fake);
    await ask({ prompt: [97] }, fake);
    expect(fake.engine.requests.map(({ promptTokenIds }) => [...promptTokenIds])).toEqual([
      [specials['<|begin|>'], 97],
      [97],
    ]);
  });

  it('i with choice j is choice i·n + j, and gives what it gives alone', async () => {
    const fake = fakeApp({ reply: ({ promptTokenIds, sampling }) => `${promptTokenIds[0]}/${sampling.seed}` });
    const { choices, usage } = await ask({ prompt: ['A', 'B'], n: 2, seed: 5, max_tokens: 99 }, fake);
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, '65/5'],
      [1, '65/6'],
      [2, '66/5'],
      [3, '66/6'],
    ]);
    expect(usage.prompt_tokens).toBe(2);
    const alone = await ask({ prompt: 'B', n: 2, seed: 5, max_tokens: 99 }, fake);
    expect(alone.choices.map(({ text }) => text)).toEqual(['66/5', '66/6']);
  });

  it('has 16 tokens of reply by default', async () => {
    const { choices, usage } = await ask({ prompt: 'a' }, fakeApp({ reply: () => 'x'.repeat(40) }));
    expect(choices[0]).toMatchObject({ text: 'x'.repeat(16), finish_reason: 'length' });
    expect(usage.completion_tokens).toBe(16);
  });

  it('has no positions of anybody and only special ids as special', async () => {
    const fake = fakeApp();
    await ask({ prompt: [97, specials['<|im_start|>'], 98] }, fake);
    expect(fake.engine.requests[0]?.positionContext).toMatchObject({
      promptLength: 3,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array([0, 1, 0]),
    });
  });
});

describe('echo', () => {
  it.each([0, 1])(
    'with logprobs and max_tokens %i gives the prompt its log-probabilities, first null',
    async (max_tokens) => {
      const fake = fakeApp({ reply: () => 'yes' });
      const { choices, usage } = await ask({ prompt: 'abc', echo: true, logprobs: 2, max_tokens }, fake);
      expect(fake.engine.requests[0]).toMatchObject({
        promptLogprobs: 2,
        logprobs: 2,
        stop: { maxTokens: max_tokens },
      });
      const reply = 'yes'.slice(0, max_tokens);
      expect(choices[0]?.text).toBe(`abc${reply}`);
      expect(choices[0]?.logprobs).toEqual({
        tokens: [...`abc${reply}`],
        token_logprobs: [null, -0.5, -0.5, ...[...reply].map(() => -0.5)],
        top_logprobs: [
          null,
          { b: -0.5, c: -1.5 },
          { c: -0.5, d: -1.5 },
          ...[...reply].map(() => ({ y: -0.5, z: -1.5 })),
        ],
        text_offset: [0, 1, 2, 3].slice(0, 3 + max_tokens),
      });
      expect(usage).toMatchObject({ prompt_tokens: 3, completion_tokens: max_tokens, total_tokens: 3 + max_tokens });
    },
  );

  it('gives the chosen token alone for logprobs 0', async () => {
    const { choices } = await ask({ prompt: 'ab', echo: true, logprobs: 0, max_tokens: 1 });
    expect(choices[0]?.logprobs?.top_logprobs).toEqual([null, { b: -0.5 }, { y: -0.5 }]);
  });

  it('counts offsets in code points and spells tokens out that are no text', async () => {
    const { choices } = await ask({ prompt: 'a🌍b', echo: true, logprobs: 0, max_tokens: 0 });
    expect(choices[0]?.logprobs?.tokens).toEqual([
      'a',
      'bytes:\\xf0',
      'bytes:\\x9f',
      'bytes:\\x8c',
      'bytes:\\x8d',
      'b',
    ]);
    expect(choices[0]?.logprobs?.text_offset).toEqual([0, 1, 1, 1, 1, 2]);
  });

  it('leaves what the tokenizer prepended out of the text but not out of the tokens', async () => {
    const fake = fakeApp({ prependBegin: true });
    const { choices } = await ask({ prompt: 'ab', echo: true, logprobs: 0, max_tokens: 0 }, fake);
    expect(choices[0]?.text).toBe('ab');
    expect(choices[0]?.logprobs?.tokens).toEqual(['<|begin|>', 'a', 'b']);
    expect(choices[0]?.logprobs?.text_offset).toEqual([0, 0, 1]);
  });

  it('keeps a start that the text itself has, of which the tokenizer made no second', async () => {
    const fake = fakeApp({ prependBegin: true });
    const { choices } = await ask({ prompt: '<|begin|>ab', echo: true, logprobs: 0, max_tokens: 0 }, fake);
    expect(choices[0]?.text).toBe('<|begin|>ab');
    expect(choices[0]?.logprobs?.tokens).toEqual(['<|begin|>', 'a', 'b']);
    expect(choices[0]?.logprobs?.text_offset).toEqual([0, 9, 10]);
  });

  it('spells token ids as text', async () => {
    const { choices } = await ask({ prompt: [[specials['<|im_start|>'], 97]], echo: true, max_tokens: 1 });
    expect(choices[0]).toMatchObject({ text: '<|im_start|>ay', logprobs: null });
  });
});

describe('log-probabilities of the reply', () => {
  it('begin at offset 0 and end with the end token, which is not in the text', async () => {
    const { choices } = await ask({ prompt: 'a', logprobs: 1, max_tokens: 9 });
    expect(choices[0]).toMatchObject({ text: 'yes', finish_reason: 'stop' });
    expect(choices[0]?.logprobs?.tokens).toEqual(['y', 'e', 's', '<|im_end|>']);
    expect(choices[0]?.logprobs?.text_offset).toEqual([0, 1, 2, 3]);
  });

  it('have −9999 for what was ruled out', async () => {
    const { chatLogprobs } = await import('../../../routes/openai/from-engine.ts');
    const { toyTokenizer } = await import('../../harness/toy-model.ts');
    const ruledOut = { tokenId: 97, logprob: Number.NEGATIVE_INFINITY, top: [] };
    expect(chatLogprobs([ruledOut], toyTokenizer()).content[0]?.logprob).toBe(-9999);
  });
});

describe('a stream', () => {
  const stream = async (body: object) => {
    const response = await fakeApp({ reply: () => 'yé' }).post(path, { ...body, stream: true });
    const data = sseData(await response.text());
    expect(data.at(-1)).toBe('[DONE]');
    return data.slice(0, -1).map((event) => completionChunkSchema.parse(JSON.parse(event)));
  };

  it('adds up to the whole answer, log-probabilities included', async () => {
    const body = { prompt: ['ab', 'c'], echo: true, logprobs: 1, seed: 1 };
    const whole = await ask(body, fakeApp({ reply: () => 'yé' }));
    const chunks = await stream(body);
    for (const choice of whole.choices) {
      const own = chunks.flatMap(({ choices }) => choices.filter(({ index }) => index === choice.index));
      expect(own.map(({ text }) => text).join('')).toBe(choice.text);
      expect(own.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual(choice.logprobs?.text_offset);
      expect(own.flatMap(({ logprobs }) => logprobs?.tokens ?? [])).toEqual(choice.logprobs?.tokens);
      expect(own.at(-1)?.finish_reason).toBe(choice.finish_reason);
    }
    expect(chunks.at(-1)?.seed).toBe(1);
  });

  it('ends with usage and carries steering before it', async () => {
    const steering = { edits: [{ feature: 'toy-chat/3-res/1', mode: 'ablate' }] };
    const chunks = await stream({ prompt: 'a', steering, stream_options: { include_usage: true } });
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 4, total_tokens: 5 },
    });
    expect(chunks.at(-2)?.steering?.edits).toHaveLength(1);
  });
});
