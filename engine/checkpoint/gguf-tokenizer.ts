import { TillerError } from '../core/index.ts';
import type { GgufTokenizer } from './checkpoint.ts';
import type { GgufMetadata } from './gguf-metadata.ts';

/** First and last tokens as a file's metadata names them. */
export function ggufTokens(metadata: GgufMetadata): {
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
} {
  return {
    bosTokenId: addsBos(metadata) ? (metadata.number('tokenizer.ggml.bos_token_id') ?? null) : null,
    eosTokenIds: ['eos', 'eot', 'eom'].flatMap((kind) => metadata.number(`tokenizer.ggml.${kind}_token_id`) ?? []),
  };
}

const sentencePieceModel = 'llama';
/** Names of pre-tokenizers with which llama.cpp puts the first token before a text unless the file says otherwise. */
const bosByDefault = ['llama-bpe', 'llama3', 'llama-v3'];

function addsBos(metadata: GgufMetadata): boolean {
  const usual =
    metadata.string('tokenizer.ggml.model') === sentencePieceModel ||
    bosByDefault.includes(metadata.string('tokenizer.ggml.pre') ?? '');
  return metadata.boolean('tokenizer.ggml.add_bos_token') ?? usual;
}

function sentencePieceOf(metadata: GgufMetadata): GgufTokenizer['sentencePiece'] {
  return {
    scores: metadata.numbers('tokenizer.ggml.scores') ?? [],
    addsSpace: metadata.boolean('tokenizer.ggml.add_space_prefix') ?? true,
  };
}

/** The tokenizer's metadata; null where the file has none. */
export function ggufTokenizer(metadata: GgufMetadata): GgufTokenizer | null {
  const model = metadata.string('tokenizer.ggml.model');
  const tokens = metadata.strings('tokenizer.ggml.tokens');
  if (model === undefined || tokens === undefined) return null;
  const tokenTypes = metadata.numbers('tokenizer.ggml.token_type') ?? tokens.map(() => 1);
  if (tokenTypes.length !== tokens.length) {
    throw new TillerError(
      'checkpoint_invalid',
      `${metadata.path}: ${tokens.length} tokens have ${tokenTypes.length} token types.`,
    );
  }
  return {
    kind: 'gguf',
    model,
    preTokenizer: metadata.string('tokenizer.ggml.pre') ?? null,
    tokens,
    tokenTypes,
    merges: metadata.strings('tokenizer.ggml.merges') ?? [],
    sentencePiece: model === sentencePieceModel ? sentencePieceOf(metadata) : null,
    bosTokenId: metadata.number('tokenizer.ggml.bos_token_id') ?? null,
    eosTokenId: metadata.number('tokenizer.ggml.eos_token_id') ?? null,
    addBos: addsBos(metadata),
    addEos: metadata.boolean('tokenizer.ggml.add_eos_token') ?? false,
  };
}
