import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { GgufTokenizer } from '../../../engine/checkpoint/index.ts';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { createTokenizer } from '../../../engine/tokenizer/index.ts';
import { type FamilyFolder, familyPath } from '../../harness/families.ts';
import { refusal } from '../checkpoint/fixtures.ts';

const schema = z.looseObject({
  added_tokens: z.array(z.object({ id: z.number(), content: z.string(), special: z.boolean() })),
  model: z.looseObject({
    vocab: z.record(z.string(), z.number()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

const texts = [
  'Why',
  'Licensed under the Apache License, Version 2.0',
  ' two  spaces,   three\n\n\nlines\r\n\ttabs ',
  "It's 1234567 o'clock; DON'T \u{1f389} caf\u00e9 cafe\u0301 \u00bd \u0663\u0664",
  '',
  '   ',
];

/** What llama.cpp's converter writes of a tokenizer.json: for SentencePiece scores in place of merges, which were made from them. */
function converted(name: FamilyFolder, model: string, pre: string | null, bos: number | null): GgufTokenizer {
  const json = schema.parse(JSON.parse(readFileSync(join(familyPath(name), 'tokenizer.json'), 'utf8')));
  const added = new Map(json.added_tokens.map(({ id, content, special }) => [id, { content, special }]));
  const entries: [string, number][] = [
    ...Object.entries(json.model.vocab),
    ...[...added].map(([id, { content }]) => [content, id] as [string, number]),
  ];
  const tokens: string[] = [];
  for (const [token, id] of entries) tokens[id] = token;
  const merges = json.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
  const rank = new Map(merges.map((merge, index) => [merge.replace(' ', ''), index]));
  const type = (id: number, token: string) => {
    if (token === '<unk>') return 2;
    if (added.has(id)) return added.get(id)?.special ? 3 : 4;
    return model === 'llama' && /^<0x..>$/.test(token) ? 6 : 1;
  };
  return {
    kind: 'gguf',
    model,
    preTokenizer: pre,
    tokens,
    tokenTypes: tokens.map((token, id) => type(id, token)),
    merges: model === 'llama' ? [] : merges,
    sentencePiece:
      model === 'llama'
        ? { scores: tokens.map((token) => -(rank.get(token) ?? 10_000)), addsSpace: name === 'mistral' }
        : null,
    bosTokenId: bos,
    eosTokenId: null,
    addBos: bos !== null,
    addEos: false,
  };
}

describe('a GGUF tokenizer gives the ids of the tokenizer.json that it was made from', () => {
  it.each<[FamilyFolder, string, string | null, number | null]>([
    ['gpt2', 'gpt2', 'gpt-2', null],
    ['gpt_neox', 'gpt2', 'olmo', null],
    ['qwen2', 'gpt2', 'qwen2', null],
    ['qwen3', 'gpt2', 'qwen2', null],
    ['llama3', 'gpt2', 'llama-bpe', 282],
    ['mistral', 'llama', 'default', 1],
    ['gemma2', 'llama', 'default', 2],
    ['gemma3', 'llama', 'default', 2],
  ])('%s', async (name, model, pre, bos) => {
    const published = await openCheckpoint(familyPath(name));
    const original = await createTokenizer(published);
    const tokenizer = await createTokenizer({
      ...published,
      path: 'x.gguf',
      config: published.config,
      tokenizerFiles: converted(name, model, pre, bos),
    });
    await published.close();
    for (const text of texts) {
      for (const addSpecialTokens of [true, false]) {
        const ids = [...original.encode(text, { addSpecialTokens })];
        expect([...tokenizer.encode(text, { addSpecialTokens })], JSON.stringify(text)).toEqual(ids);
        expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(original.decode(ids, { skipSpecial: true }));
      }
    }
    expect(tokenizer.specialTokenIds).toEqual(original.specialTokenIds);
  });

  it('takes a word that is a token for it where the pre-tokenizer says so, and merges where not', async () => {
    // 'ab' is a token that no merge leads to.
    const files = (pre: string): GgufTokenizer => {
      return { ...converted('llama3', 'gpt2', pre, null), tokens: ['a', 'b', 'ab'], tokenTypes: [1, 1, 1], merges: [] };
    };
    const published = await openCheckpoint(familyPath('llama3'));
    await published.close();
    const encode = async (pre: string) => {
      const tokenizer = await createTokenizer({ path: 'x', config: published.config, tokenizerFiles: files(pre) });
      return [...tokenizer.encode('ab', { addSpecialTokens: false })];
    };
    expect(await encode('llama-bpe')).toEqual([2]);
    expect(await encode('qwen2')).toEqual([0, 1]);
  });

  it('is refused where its kind is not known, or scores are missing', async () => {
    const published = await openCheckpoint(familyPath('gemma2'));
    await published.close();
    const open = (files: Partial<GgufTokenizer>) =>
      refusal(
        createTokenizer({
          path: 'x',
          config: published.config,
          tokenizerFiles: { ...converted('gemma2', 'llama', null, 2), ...files },
        }),
      );
    expect((await open({ model: 'bert' })).message).toContain("model 'bert'");
    expect((await open({ model: 'gpt2', preTokenizer: 'tekken' })).message).toContain("pre-tokenizer 'tekken'");
    expect((await open({ sentencePiece: { scores: [1], addsSpace: true } })).message).toContain(
      'one score for each token',
    );
  });
});
