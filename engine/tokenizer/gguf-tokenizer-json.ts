import type { GgufTokenizer } from '../checkpoint/index.ts';
import { TillerError } from '../core/index.ts';
import { byteLevelDecoder, ggufPreTokenizers } from './gguf-pre-tokenizers.ts';
import { sentencePieceParts } from './sentence-piece-json.ts';

/** llama_token_type (llama.h): tokens that only ever stand for themselves. */
const unknown = 2;
const control = 3;
const userDefined = 4;

/** A GGUF file's tokenizer as the tokenizer.json it was converted from. */
export function tokenizerJsonFromGguf(path: string, gguf: GgufTokenizer): unknown {
  const { tokens, model, ...parts } = partsOf(path, gguf);
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  checkUnique(path, tokens, vocab);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) => addedToken(content, id, gguf.tokenTypes[id])),
    post_processor: postProcessor(path, gguf),
    ...parts,
    model: { ...model, vocab },
  };
}

function partsOf(path: string, gguf: GgufTokenizer) {
  if (gguf.model === 'llama') return { ...sentencePieceParts(path, gguf), pre_tokenizer: null };
  if (gguf.model !== 'gpt2') {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: GGUF tokenizers of model '${gguf.model}' are not supported. 'gpt2' (byte-level BPE) and 'llama' (SentencePiece's BPE) are; or use the safetensors checkpoint with its tokenizer.json.`,
    );
  }
  const name = gguf.preTokenizer ?? 'unnamed';
  if (!Object.hasOwn(ggufPreTokenizers, name)) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: the GGUF pre-tokenizer '${name}' is not supported. ${Object.keys(ggufPreTokenizers).join(', ')} are; or use the safetensors checkpoint with its tokenizer.json.`,
    );
  }
  const { preTokenizer, normalizer, ignoresMerges } = ggufPreTokenizers[name];
  return {
    tokens: gguf.tokens,
    normalizer,
    pre_tokenizer: preTokenizer,
    decoder: byteLevelDecoder,
    model: { type: 'BPE', unk_token: null, merges: gguf.merges, ignore_merges: ignoresMerges },
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
  const special = type === control || type === unknown;
  if (!special && type !== userDefined) return [];
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
