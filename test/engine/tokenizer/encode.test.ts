import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { createTokenizer } from '../../../engine/tokenizer/index.ts';
import { refusal } from '../checkpoint/fixtures.ts';
import {
  huggingFace,
  sentencePieceJson,
  smollm2,
  smollm2Golden,
  tinyGolden,
  tinyLlama,
  tinyTokenizerJson,
} from './fixtures.ts';

const plain = { addSpecialTokens: false };
const everything = { skipSpecial: false };

describe('the default model', () => {
  it('gives the ids of the original library on every golden string, and the text back', async () => {
    const tokenizer = await createTokenizer(smollm2());
    const golden = smollm2Golden();
    expect(golden.length).toBeGreaterThanOrEqual(31);
    for (const { text, ids } of golden) {
      expect([...tokenizer.encode(text, plain)], JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids, everything)).toBe(text);
    }
  });

  it('has 49,152 tokens, 17 of them special, and prepends nothing', async () => {
    const tokenizer = await createTokenizer(smollm2());
    expect(tokenizer.vocabularySize).toBe(49_152);
    expect([...tokenizer.specialTokenIds]).toEqual(Array.from({ length: 17 }, (_, id) => id));
    expect(tokenizer.encode('hi', { addSpecialTokens: true })).toEqual(tokenizer.encode('hi', plain));
  });

  it('drops bytes that have no token before it merges, as the original library does', async () => {
    const tokenizer = await createTokenizer(smollm2());
    // ids by tokenizers (Rust); 0xF1 and 0xF2, which begin these unassigned characters, have no token
    const text = '?_\u{537c2}\u{b99a0}\u00e82<|im_end|>';
    expect([...tokenizer.encode(text, plain)]).toEqual([47, 79, 237, 249, 38_058, 116, 250, 11_180, 34, 2]);
  });

  it('tells each token as text and as bytes', async () => {
    const tokenizer = await createTokenizer(smollm2());
    const [first] = tokenizer.encode('\u{1f389}', plain);
    expect(tokenizer.tokenText(1)).toBe('<|im_start|>');
    expect([...tokenizer.tokenBytes(28)]).toEqual([...Buffer.from(',')]);
    expect(tokenizer.tokenText(first)).toContain('\ufffd');
    expect(tokenizer.tokenBytes(-1)).toHaveLength(0);
    expect(tokenizer.tokenBytes(1e9)).toHaveLength(0);
  });
});

describe('tiny-llama', () => {
  it.each(['f32', 'bf16-sharded', 'gguf'])('%s: ids as the original library gives them', async (folder) => {
    const checkpoint = await openCheckpoint(join(tinyLlama, folder));
    const tokenizer = await createTokenizer(checkpoint);
    for (const { text, ids } of tinyGolden()) {
      expect([...tokenizer.encode(text, plain)], JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids, everything)).toBe(text);
    }
    expect([...tokenizer.specialTokenIds]).toEqual([0, 1, 2]);
    await checkpoint.close();
  });
});

describe('tokens that the tokenizer itself adds', () => {
  it('come from a GGUF file that asks for them', async () => {
    const source = smollm2();
    if (source.tokenizerFiles?.kind !== 'gguf') throw new Error('the fixture is a GGUF');
    const tokenizerFiles = { ...source.tokenizerFiles, addBos: true, addEos: true };
    const tokenizer = await createTokenizer({ ...source, tokenizerFiles });
    expect([...tokenizer.encode('a', { addSpecialTokens: true })]).toEqual([1, 81, 2]);
    expect([...tokenizer.encode('a', plain)]).toEqual([81]);
  });

  it('come from a post-processor', async () => {
    const tokenizer = await createTokenizer(huggingFace(sentencePieceJson()));
    expect([...tokenizer.encode('hi', { addSpecialTokens: true })]).toEqual([1, 7]);
  });
});

describe('SentencePiece with byte fallback', () => {
  it('encodes, spells what it lacks in bytes, and gives the text back without the space it put before it', async () => {
    const tokenizer = await createTokenizer(huggingFace(sentencePieceJson()));
    const ids = tokenizer.encode('hi é hi', plain);
    expect([...ids]).toEqual([7, 3, 8 + 0xc3, 8 + 0xa9, 7]);
    expect(tokenizer.decode(ids, everything)).toBe('hi é hi');
    expect(tokenizer.tokenText(7)).toBe(' hi');
    const stream = tokenizer.stream(everything);
    expect([...ids].map((id) => stream.push(id))).toEqual(['hi', ' ', '', 'é', ' hi']);
  });
});

describe('refusals', () => {
  const json = tinyTokenizerJson();
  const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };

  it.each<[string, unknown, string, string]>([
    ['Unigram', { ...json, model: { type: 'Unigram', vocab: [['a', 0]] } }, 'checkpoint_unsupported', 'type Unigram'],
    ['WordPiece', { ...json, model: { ...model, type: 'WordPiece' } }, 'checkpoint_unsupported', 'type WordPiece'],
    ['another decoder', { ...json, decoder: { type: 'Metaspace' } }, 'checkpoint_unsupported', "'Metaspace'"],
    ['no decoder', { ...json, decoder: null }, 'checkpoint_unsupported', "'none'"],
    ['unknown pre-tokenizer', { ...json, pre_tokenizer: { type: 'Magic' } }, 'checkpoint_unsupported', 'Magic'],
    [
      'pre-tokenizer that the library has but does its own way, deep in a sequence',
      { ...json, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }] } },
      'checkpoint_unsupported',
      "pre-tokenizer 'Whitespace'",
    ],
    [
      'split that the library would take for another',
      { ...json, pre_tokenizer: { type: 'Split', pattern: { String: '-' }, behavior: 'Contiguous', invert: false } },
      'checkpoint_unsupported',
      "behavior 'Contiguous'",
    ],
    ['sequence of nothing', { ...json, pre_tokenizer: { type: 'Sequence' } }, 'checkpoint_invalid', 'pretokenizers'],
    [
      'split without a pattern',
      { ...json, pre_tokenizer: { type: 'Split', behavior: 'Isolated' } },
      'checkpoint_invalid',
      'Split',
    ],
    [
      'unknown normalizer, deep in a sequence',
      { ...json, normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Precompiled' }] } },
      'checkpoint_unsupported',
      "normalizer 'Precompiled'",
    ],
    [
      'single_word',
      { ...json, added_tokens: [{ id: 1, content: 'x', single_word: true }] },
      'checkpoint_unsupported',
      "'x'",
    ],
    ['id beyond the embedding', { ...json, model: { ...model, vocab: { a: 512 } } }, 'checkpoint_invalid', 'id 512'],
    ['id not a number', { ...json, model: { ...model, vocab: { a: 'b' } } }, 'checkpoint_invalid', 'id b'],
    ['no tokens', { ...json, added_tokens: [], model: { ...model, vocab: {} } }, 'checkpoint_invalid', 'no tokens'],
    ['not a tokenizer', [1, 2], 'checkpoint_invalid', 'tokenizer.json'],
  ])('%s', async (_, tokenizer, code, words) => {
    const error = await refusal(createTokenizer(huggingFace(tokenizer)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it.each([
    [{ model: 'bert' }, "model 'bert'"],
    [{ preTokenizer: 'tekken' }, "pre-tokenizer 'tekken'"],
    [{ preTokenizer: null }, "pre-tokenizer 'unnamed'"],
    [{ tokens: ['a', 'a'], tokenTypes: [1, 1] }, 'same text "a"'],
    [{ addBos: true, bosTokenId: null }, 'begins every text'],
  ])('GGUF metadata with %j', async (change, words) => {
    const source = smollm2();
    if (source.tokenizerFiles?.kind !== 'gguf') throw new Error('the fixture is a GGUF');
    const tokenizerFiles = { ...source.tokenizerFiles, ...change };
    expect((await refusal(createTokenizer({ ...source, tokenizerFiles }))).message).toContain(words);
  });

  it('no tokenizer at all', async () => {
    const error = await refusal(createTokenizer({ ...smollm2(), tokenizerFiles: null }));
    expect(error.message).toContain('has no tokenizer');
  });
});
