import { type ModelConfig, plainFeatures, TillerError } from '../core/index.ts';
import { checkedConfig } from './check-config.ts';
import type { GgufTokenizer } from './checkpoint.ts';
import type { GgufMetadata } from './gguf-metadata.ts';
import { maxBlocks } from './limits.ts';

/** `llama.*` keys that become the configuration. Any other one is refused: it may change the model. */
const understood = new Set([
  'block_count',
  'context_length',
  'embedding_length',
  'feed_forward_length',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_rms_epsilon',
  'rope.freq_base',
  'rope.dimension_count',
  'vocab_size',
]);
/** `llama.*` keys that are harmless with exactly these values. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  'rope.scaling.type': ['none'],
  'rope.scaling.factor': [0, 1],
  'rope.scale_linear': [0, 1],
  expert_count: [0],
  expert_used_count: [0],
};

/** What the tensors add to the metadata. */
export interface GgufShapes {
  /** Rows of the embedding. */
  readonly vocabularySize: number;
  readonly tiedEmbeddings: boolean;
}

/** A configuration from GGUF metadata (keys: gguf-py/gguf/constants.py). */
export function configFromGguf(
  metadata: GgufMetadata,
  shapes: GgufShapes,
  tokenizer: GgufTokenizer | null,
): ModelConfig {
  refuseUnknown(metadata);
  const heads = metadata.requireNumber('llama.attention.head_count');
  const dModel = metadata.requireNumber('llama.embedding_length');
  const headDim = metadata.number('llama.attention.key_length') ?? dModel / heads;
  for (const key of ['llama.rope.dimension_count', 'llama.attention.value_length']) {
    const value = metadata.number(key) ?? headDim;
    if (value !== headDim) {
      throw new TillerError(
        'checkpoint_unsupported',
        `${metadata.path}: ${key} ${value} in heads of ${headDim} is not supported.`,
      );
    }
  }
  const stated = metadata.number('llama.vocab_size') ?? shapes.vocabularySize;
  if (stated !== shapes.vocabularySize) {
    throw new TillerError(
      'checkpoint_invalid',
      `${metadata.path}: tensor 'token_embd.weight' has ${shapes.vocabularySize} rows, llama.vocab_size is ${stated}.`,
    );
  }
  const blocks = metadata.requireNumber('llama.block_count');
  // Lists of a hostile length are not made.
  const features = plainFeatures(
    { blocks: Math.min(blocks, maxBlocks), headDim },
    metadata.number('llama.rope.freq_base') ?? 10_000,
  );
  return checkedConfig(metadata.path, {
    ...features,
    family: 'llama',
    dModel,
    heads,
    headDim,
    blocks,
    keyValueHeads: metadata.number('llama.attention.head_count_kv') ?? heads,
    mlpWidth: metadata.requireNumber('llama.feed_forward_length'),
    vocabularySize: shapes.vocabularySize,
    contextLength: metadata.requireNumber('llama.context_length'),
    normEpsilon: metadata.requireNumber('llama.attention.layer_norm_rms_epsilon'),
    tiedEmbeddings: shapes.tiedEmbeddings,
    bosTokenId: tokenizer?.addBos ? tokenizer.bosTokenId : null,
    eosTokenIds: endTokens(metadata),
  });
}

/** End of sequence, of turn and of message, where the file names them. */
function endTokens(metadata: GgufMetadata): number[] {
  return ['eos', 'eot', 'eom'].flatMap((kind) => metadata.number(`tokenizer.ggml.${kind}_token_id`) ?? []);
}

function refuseUnknown(metadata: GgufMetadata): void {
  for (const key of metadata.keys()) {
    if (!key.startsWith('llama.')) continue;
    const name = key.slice('llama.'.length);
    if (understood.has(name)) continue;
    const value = metadata.get(key);
    if (Object.hasOwn(neutral, name) && neutral[name].includes(value)) continue;
    throw new TillerError(
      'checkpoint_unsupported',
      `${metadata.path}: ${key} (${String(value).slice(0, 40)}) is not supported yet, and ignoring it would change the model.`,
    );
  }
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
