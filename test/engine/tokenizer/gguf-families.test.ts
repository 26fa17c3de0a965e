import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTokenizer } from '../../../engine/tokenizer/index.ts';
import { familyTokenizer, huggingFace } from './fixtures.ts';

const ids = z.array(z.number());
const goldenSchema = z.object({
  strings: z.array(z.object({ text: z.string(), ids, with_special: ids, decoded: z.string() })),
});
const jsonSchema = z.object({
  added_tokens: z.array(z.object({ id: z.number(), content: z.string(), special: z.boolean() })),
  model: z.object({
    vocab: z.record(z.string(), z.number()),
    merges: z.array(z.tuple([z.string(), z.string()])),
  }),
});

/** llama_token_type, as llama.cpp's converter gives it. */
const types = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 };

/** The metadata that llama.cpp's converter makes of a tokenizer.json; SentencePiece's scores are minus the order of the merges. */
function converted(name: string, about: { readonly preTokenizer?: string; readonly begin?: string }) {
  const { added_tokens: added, model } = jsonSchema.parse(familyTokenizer(name));
  const entries = [...Object.entries(model.vocab), ...added.map(({ content, id }) => [content, id] as const)];
  const tokens: string[] = [];
  for (const [token, id] of entries) tokens[id] = token;
  const type = new Map(added.map(({ id, special }) => [id, special ? types.control : types.userDefined]));
  const tokenTypes = tokens.map((token, id) => {
    if (token === '<unk>') return types.unknown;
    return type.get(id) ?? (/^<0x..>$/.test(token) ? types.byte : types.normal);
  });
  const rank = new Map(model.merges.map(([left, right], index) => [left + right, -1 - index] as const).reverse());
  const begin = about.begin ?? null;
  const scores = tokens.map((token) => rank.get(token) ?? 0);
  return {
    ...huggingFace({}, null, 1024),
    tokenizerFiles: {
      kind: 'gguf' as const,
      model: about.preTokenizer ? 'gpt2' : 'llama',
      preTokenizer: about.preTokenizer ?? 'default',
      // the converter writes spaces as such in what a user defined
      tokens: tokens.map((token, id) =>
        tokenTypes[id] === types.userDefined ? token.replaceAll('\u2581', ' ') : token,
      ),
      tokenTypes,
      sentencePiece: about.preTokenizer ? null : { scores, addsSpace: name !== 'gemma' },
      merges: about.preTokenizer ? model.merges.map((merge) => merge.join(' ')) : [],
      bosTokenId: begin === null ? null : tokens.indexOf(begin),
      eosTokenId: null,
      addBos: begin !== null,
      addEos: false,
    },
  };
}

describe.each([
  ['gpt2', { preTokenizer: 'gpt-2' }],
  ['gpt_neox', { preTokenizer: 'olmo' }],
  ['qwen', { preTokenizer: 'qwen2' }],
  ['llama3', { preTokenizer: 'llama-bpe', begin: '<|begin_of_text|>' }],
  ['gemma', { begin: '<bos>' }],
  ['llama2', { begin: '<s>' }],
] as const)('the tokenizer of %s in a GGUF file', (name, about) => {
  const { strings } = goldenSchema.parse(familyTokenizer(`${name}-golden`));

  it('gives the ids and texts of the tokenizer.json it was made from', async () => {
    const tokenizer = await createTokenizer(converted(name, about));
    for (const { text, ids, with_special: added, decoded } of strings) {
      expect([...tokenizer.encode(text, { addSpecialTokens: false })], JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids, { skipSpecial: false }), JSON.stringify(text)).toBe(decoded);
      const isDoubled = added.length > ids.length && added[0] === added[1];
      expect([...tokenizer.encode(text, { addSpecialTokens: true })]).toEqual(isDoubled ? ids : added);
    }
  });
});
