import type { GgufTokenizer } from '../checkpoint/index.ts';
import { TillerError } from '../core/index.ts';
import { type SentencePieceMetadata, sentencePieceParts } from './gguf-sentence-piece.ts';

/** llama_token_type (llama.h): tokens that only ever stand for themselves. */
const unknown = 2;
const control = 3;
const userDefined = 4;

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** GPT-4's splitting of text into words (tiktoken, cl100k_base) with runs of at most so many digits. */
function gpt4Words(digits: string): object {
  const regex =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
    `\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
  const words = { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
  return { type: 'Sequence', pretokenizers: [words, { ...byteLevel, use_regex: false }] };
}

const nfc = { type: 'NFC' };
const llama3 = { pre_tokenizer: gpt4Words('{1,3}'), normalizer: null, ignore_merges: true };

/**
 * What llama.cpp's pre-tokenizer names mean, in tokenizer.json's words (llama-vocab.cpp, `llm_tokenizer_bpe`). The names do not tell
 * the normalizer, which llama.cpp leaves out: it is that of the models that bear the name.
 */
const preTokenizers: Readonly<
  Record<
    string,
    { readonly pre_tokenizer: object; readonly normalizer: object | null; readonly ignore_merges: boolean }
  >
> = {
  'gpt-2': { pre_tokenizer: byteLevel, normalizer: null, ignore_merges: false },
  // Pythia's too
  olmo: { pre_tokenizer: byteLevel, normalizer: nfc, ignore_merges: false },
  smollm: {
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
    normalizer: null,
    ignore_merges: false,
  },
  qwen2: { pre_tokenizer: gpt4Words(''), normalizer: nfc, ignore_merges: false },
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
};

/** A GGUF file's tokenizer as the tokenizer.json it was converted from. */
export function tokenizerJsonFromGguf(path: string, gguf: GgufTokenizer & SentencePieceMetadata): unknown {
  const vocab = Object.fromEntries(gguf.tokens.map((token, id) => [token, id]));
  checkUnique(path, gguf.tokens, vocab);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: gguf.tokens.flatMap((content, id) => addedToken(content, id, gguf.tokenTypes[id])),
    post_processor: postProcessor(path, gguf),
    ...parts(path, gguf, vocab),
  };
}

/** Normalizer, pre-tokenizer, decoder and model, by the kind of vocabulary. */
function parts(path: string, gguf: GgufTokenizer & SentencePieceMetadata, vocab: object): object {
  if (gguf.model === 'llama') return sentencePieceParts(path, gguf, vocab);
  if (gguf.model !== 'gpt2') {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: GGUF tokenizers of model '${gguf.model}' are not supported. 'gpt2' (byte-level BPE) and 'llama' (SentencePiece's BPE) are; or use the safetensors checkpoint with its tokenizer.json.`,
    );
  }
  const preTokenizer = gguf.preTokenizer ?? 'unnamed';
  if (!Object.hasOwn(preTokenizers, preTokenizer)) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: the GGUF pre-tokenizer '${preTokenizer}' is not supported. ${Object.keys(preTokenizers).join(', ')} are; or use the safetensors checkpoint with its tokenizer.json.`,
    );
  }
  const { ignore_merges, ...named } = preTokenizers[preTokenizer];
  return {
    ...named,
    decoder: byteLevel,
    model: { type: 'BPE', unk_token: null, ignore_merges, vocab, merges: gguf.merges },
  };
}

function checkUnique(path: string, tokens: readonly string[], vocab: Readonly<Record<string, number>>): void {
  for (const [id, token] of tokens.entries()) {
    if (vocab[token] !== id) {
      throw new TillerError(
        'checkpoint_invalid',
        `${path}: tokens ${id} and ${vocab[token]} are the same text ${JSON.stringify(token.slice(0, 40))}.`,
      );
    }
  }
}

function addedToken(content: string, id: number, type: number): object[] {
  if (type !== unknown && type !== control && type !== userDefined) return [];
  const special = type !== userDefined;
  return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
}

/** Puts the first and last token around a text, where the file wants them. */
function postProcessor(path: string, gguf: GgufTokenizer): object {
  const first = gguf.addBos ? [specialToken(path, gguf, gguf.bosTokenId, 'begin')] : [];
  const last = gguf.addEos ? [specialToken(path, gguf, gguf.eosTokenId, 'end')] : [];
  const piece = ({ text }: { readonly text: string }) => ({ SpecialToken: { id: text, type_id: 0 } });
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  return {
    type: 'TemplateProcessing',
    single: [...first.map(piece), sequence('A'), ...last.map(piece)],
    pair: [...first.map(piece), sequence('A'), ...last.map(piece), sequence('B')],
    special_tokens: Object.fromEntries(
      [...first, ...last].map(({ text, id }) => [text, { id: text, ids: [id], tokens: [text] }]),
    ),
  };
}

function specialToken(
  path: string,
  gguf: GgufTokenizer,
  id: number | null,
  which: string,
): { text: string; id: number } {
  const text = id === null ? undefined : gguf.tokens[id];
  if (id === null || text === undefined) {
    throw new TillerError(
      'checkpoint_invalid',
      `${path}: its tokenizer ${which}s every text with a token that it does not have.`,
    );
  }
  return { text, id };
}
