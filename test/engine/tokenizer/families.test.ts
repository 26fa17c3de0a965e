import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTokenizer } from '../../../engine/tokenizer/index.ts';
import { familyTokenizer, huggingFace } from './fixtures.ts';

const ids = z.array(z.number());
const golden = z.object({
  strings: z.array(z.object({ text: z.string(), ids, with_special: ids, decoded: z.string() })),
});

/** Parts of the families' published tokenizers (test/golden/make_tokenizers.py), and two more kinds of pre-tokenizer. */
const names = ['gpt2', 'gpt_neox', 'qwen', 'llama3', 'gemma', 'llama2', 'mistral', 'metaspace_split', 'prefix_space'];

describe.each(names)('the tokenizer of %s', (name) => {
  const tokenizer = createTokenizer(huggingFace(familyTokenizer(name), null, 1024));
  const { strings } = golden.parse(familyTokenizer(`${name}-golden`));

  it('gives the ids of the original library', async () => {
    expect(strings.length).toBeGreaterThan(45);
    for (const { text, ids } of strings) {
      expect([...(await tokenizer).encode(text, { addSpecialTokens: false })], JSON.stringify(text)).toEqual(ids);
    }
  });

  it('adds what the original library adds, but no start where the text begins with it', async () => {
    const encode = (text: string) => [...tokenizerNow.encode(text, { addSpecialTokens: true })];
    const tokenizerNow = await tokenizer;
    for (const { text, ids, with_special: added } of strings) {
      const isDoubled = added.length > ids.length && added[0] === added[1];
      expect(encode(text), JSON.stringify(text)).toEqual(isDoubled ? ids : added);
    }
  });

  it('decodes them as the original library', async () => {
    for (const { text, ids, decoded } of strings) {
      expect((await tokenizer).decode(ids, { skipSpecial: false }), JSON.stringify(text)).toBe(decoded);
    }
  });
});

describe('a long text without a single place to split', () => {
  it.each(['gemma', 'llama2', 'metaspace_split'])('takes %s time in proportion to its length', async (name) => {
    const tokenizer = await createTokenizer(huggingFace(familyTokenizer(name), null, 1024));
    const time = (length: number) => {
      const text = 'ab'.repeat(length / 2);
      const start = performance.now();
      expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }), { skipSpecial: false })).toBe(text);
      return performance.now() - start;
    };
    time(2_000);
    // sixteen times the characters; sixteen times that much again if every character were tried as a start
    expect(time(64_000) / Math.max(5, time(4_000))).toBeLessThan(100);
  });
});
