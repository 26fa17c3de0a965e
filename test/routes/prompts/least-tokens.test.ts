import { describe, expect, it } from 'vitest';
import type { Tokenizer } from '../../../engine/core/index.ts';
import { leastTokens } from '../../../routes/prompts/least-tokens.ts';
import { fakeApp } from '../../harness/http.ts';
import { toyTokenizer } from '../../harness/toy-model.ts';

/** A vocabulary of words: only `tokenBytes` and its size are looked at. */
function vocabulary(...words: readonly string[]): Tokenizer {
  const bytes = words.map((word) => new TextEncoder().encode(word));
  return {
    ...toyTokenizer(),
    vocabularySize: bytes.length,
    tokenBytes: (id) => bytes[id] ?? new Uint8Array(),
  };
}

describe('leastTokens', () => {
  const tokenizer = vocabulary('a', 'b', 'abba', ' ', ' '.repeat(8), 'é', '-----');
  it.each([
    ['', 0],
    ['abbaabba', 2],
    ['aaaa', 2],
    [' '.repeat(17), 3],
    ['é', 1],
    ['a        ', 2],
    ['zzzzzzzz', 0],
  ])('of %j is %i', (text, least) => {
    expect(leastTokens(text, tokenizer)).toBe(least);
  });

  it('never exceeds what encoding gives', () => {
    const toy = toyTokenizer();
    for (const text of ['hi', 'ü 🌍\n', '<|im_start|>user\nhi<|im_end|>', 'a'.repeat(999)]) {
      expect(leastTokens(text, toy)).toBeLessThanOrEqual(toy.encode(text, { addSpecialTokens: false }).length);
    }
  });
});

describe('text that cannot fit', () => {
  const long = 'a'.repeat(30_000);
  it.each([
    ['/v1/completions', { prompt: long }, 'prompt'],
    ['/v1/completions', { prompt: ['a', long] }, 'prompt[1]'],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: long }] }, 'messages'],
    ['/tokenize', { prompt: long }, 'prompt'],
  ])('%s refuses it without encoding it (%#)', async (path, body, param) => {
    const { services, post } = fakeApp();
    const { model } = services.model('toy-chat');
    const encoded: string[] = [];
    const { encode } = model.tokenizer;
    model.tokenizer.encode = (text, options) => {
      encoded.push(text);
      return encode(text, options);
    };
    const response = await post(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'context_length_exceeded', param } });
    expect(encoded.filter((text) => text.length > 5000)).toEqual([]);
  });

  it('more messages than the context has tokens are not rendered', async () => {
    let renderings = 0;
    const render = () => {
      renderings++;
      return 'x';
    };
    const { post } = fakeApp({ chatTemplate: { render } });
    const ask = async (count: number) => {
      const messages = Array(count).fill({ role: 'user', content: '' });
      return (await post('/v1/chat/completions', { messages, max_tokens: 1 })).status;
    };
    expect([await ask(513), renderings]).toEqual([400, 0]);
    expect([await ask(512), renderings]).toEqual([200, 1]);
  });

  it('no prompt is encoded where there are too many of them', async () => {
    const { services, post } = fakeApp();
    const { model } = services.model('toy-chat');
    model.tokenizer.encode = () => {
      throw new Error('encoded');
    };
    const response = await post('/v1/completions', { prompt: Array(9).fill('a') });
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_request', param: 'prompt' } });
  });
});
