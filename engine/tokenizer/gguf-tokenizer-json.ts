import type { GgufTokenizer } from '../checkpoint/index.ts';
import { TillerError } from '../core/index.ts';

/** llama_token_type (llama.h): tokens that only ever stand for themselves. */
const control = 3;
const userDefined = 4;

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** What llama.cpp's pre-tokenizer names mean, in tokenizer.json's words (llama-vocab.cpp, `llm_tokenizer_bpe`). */
const preTokenizers: Readonly<Record<string, object>> = {
  'gpt-2': byteLevel,
  smollm: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
};

/** A GGUF file's tokenizer as the tokenizer.json it was converted from. */
export function tokenizerJsonFromGguf(path: string, gguf: GgufTokenizer): unknown {
  if (gguf.model !== 'gpt2') {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: GGUF tokenizers of model '${gguf.model}' are not supported yet. 'gpt2' (byte-level BPE) is; or use the safetensors checkpoint with its tokenizer.json.`,
    );
  }
  const preTokenizer = gguf.preTokenizer ?? 'unnamed';
  if (!Object.hasOwn(preTokenizers, preTokenizer)) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: the GGUF pre-tokenizer '${preTokenizer}' is not supported yet. ${Object.keys(preTokenizers).join(' and ')} are; or use the safetensors checkpoint with its tokenizer.json.`,
    );
  }
  const vocab = Object.fromEntries(gguf.tokens.map((token, id) => [token, id]));
  checkUnique(path, gguf.tokens, vocab);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: gguf.tokens.flatMap((content, id) => addedToken(content, id, gguf.tokenTypes[id])),
    normalizer: null,
    pre_tokenizer: preTokenizers[preTokenizer],
    post_processor: postProcessor(path, gguf),
    decoder: byteLevel,
    model: { type: 'BPE', unk_token: null, vocab, merges: gguf.merges },
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
  if (type !== control && type !== userDefined) return [];
  return [
    { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: type === control },
  ];
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
