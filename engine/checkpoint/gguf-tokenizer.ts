import { TillerError } from '../core/index.ts';
import type { GgufTokenizer } from './checkpoint.ts';
import type { GgufMetadata } from './gguf-metadata.ts';

/** First and last tokens as a file's metadata names them. */
export function ggufTokens(metadata: GgufMetadata): {
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
} {
  const adds = metadata.boolean('tokenizer.ggml.add_bos_token') ?? false;
  return {
    bosTokenId: adds ? (metadata.number('tokenizer.ggml.bos_token_id') ?? null) : null,
    eosTokenIds: ['eos', 'eot', 'eom'].flatMap((kind) => metadata.number(`tokenizer.ggml.${kind}_token_id`) ?? []),
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
    bosTokenId: metadata.number('tokenizer.ggml.bos_token_id') ?? null,
    eosTokenId: metadata.number('tokenizer.ggml.eos_token_id') ?? null,
    addBos: metadata.boolean('tokenizer.ggml.add_bos_token') ?? false,
    addEos: metadata.boolean('tokenizer.ggml.add_eos_token') ?? false,
  };
}
