import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import type { Checkpoint } from '../../../engine/checkpoint/index.ts';
import { type ModelConfig, plainFeatures } from '../../../engine/core/index.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures');
export const tinyLlama = join(fixtures, 'tiny-llama');

const goldenStrings = z.array(z.object({ text: z.string(), ids: z.array(z.number()) }));

/** Strings and ids by transformers, for the default model's tokenizer. */
export function smollm2Golden() {
  const text = readFileSync(join(fixtures, 'golden/smollm2.json'), 'utf8');
  return z.object({ tokenizer: goldenStrings }).parse(JSON.parse(text)).tokenizer;
}

/** Strings and ids by the original library, for tiny-llama's tokenizer. */
export function tinyGolden() {
  const text = readFileSync(join(tinyLlama, 'tokenizer-golden.json'), 'utf8');
  return z.object({ strings: goldenStrings }).parse(JSON.parse(text)).strings;
}

const ggufSchema = z.object({
  model: z.string(),
  preTokenizer: z.string(),
  tokens: z.array(z.string()),
  tokenTypes: z.array(z.number()),
  merges: z.array(z.string()),
  bosTokenId: z.number(),
  eosTokenId: z.number(),
  addBos: z.boolean(),
  chatTemplate: z.string(),
});

type TokenizerSource = Pick<Checkpoint, 'path' | 'tokenizerFiles' | 'config' | 'chatTemplate'>;

/** The default model's checkpoint as far as tokenizers care: its metadata without its weights. */
export function smollm2(): TokenizerSource {
  const bytes = gunzipSync(readFileSync(join(fixtures, 'golden/smollm2-tokenizer.json.gz')));
  const { chatTemplate, ...metadata } = ggufSchema.parse(JSON.parse(bytes.toString('utf8')));
  return {
    path: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    config: configOf(49_152),
    tokenizerFiles: { kind: 'gguf', addEos: false, sentencePiece: null, ...metadata },
    chatTemplate,
  };
}

/** A checkpoint with the given tokenizer.json. */
export function huggingFace(
  tokenizer: unknown,
  tokenizerConfig: unknown = null,
  vocabularySize = 512,
): TokenizerSource {
  return {
    path: 'test',
    config: configOf(vocabularySize),
    tokenizerFiles: { kind: 'huggingface', tokenizer, tokenizerConfig },
    chatTemplate: null,
  };
}

function configOf(vocabularySize: number): ModelConfig {
  return {
    ...plainFeatures({ blocks: 1, headDim: 64 }, 10_000),
    family: 'llama',
    dModel: 64,
    blocks: 1,
    heads: 1,
    keyValueHeads: 1,
    headDim: 64,
    mlpWidth: 64,
    vocabularySize,
    contextLength: 64,
    normEpsilon: 1e-5,
    tiedEmbeddings: true,
    bosTokenId: null,
    eosTokenIds: [],
  };
}

/** A file of test/fixtures/tokenizers, parsed: `gemma` is a tokenizer with every part of Gemma's, `gemma-golden` what it gives. */
export function familyTokenizer(name: string): unknown {
  return JSON.parse(readFileSync(join(fixtures, 'tokenizers', `${name}.json`), 'utf8'));
}

/** tiny-llama's tokenizer.json, parsed. */
export function tinyTokenizerJson(): Record<string, unknown> {
  const text = readFileSync(join(tinyLlama, 'f32/tokenizer.json'), 'utf8');
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
}

/** A SentencePiece-style BPE with byte fallback, as Llama 2's tokenizer.json has it: eight pieces and all 256 bytes. */
export function sentencePieceJson(): Record<string, unknown> {
  const pieces = ['<unk>', '<s>', '</s>', '\u2581', 'h', 'i', 'hi', '\u2581hi'];
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const vocab = Object.fromEntries([...pieces, ...bytes].map((token, id) => [token, id]));
  return {
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '\u2581' },
        { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: { type: 'BPE', vocab, merges: ['h i', '\u2581 hi'], byte_fallback: true, unk_token: '<unk>' },
  };
}
