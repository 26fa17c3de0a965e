import type { DecoderSize } from '../../engine/checkpoint/index.ts';
import { publishedModel } from '../../src/cli/published-models.ts';

/** Published models by their sizes: what is generated has these, and random weights. */
export interface ModelShape {
  /** What `--models` calls it. */
  readonly name: string;
  readonly title: string;
  /** The published config.json, as far as it decides what is computed. */
  readonly config: { readonly model_type: string; readonly [field: string]: unknown };
  /** The metadata of a GGUF file of it, under `general.architecture`: whole numbers as uint32, `floats` as float32. */
  readonly gguf: {
    readonly architecture: string;
    readonly integers: Readonly<Record<string, number>>;
    readonly floats: Readonly<Record<string, number>>;
  };
}

/** Sizes under the names that a config.json of Llama, or of a family that took over its keys, has for them. */
function sizeFields(size: DecoderSize): Readonly<Record<string, unknown>> {
  return {
    hidden_size: size.dModel,
    intermediate_size: size.mlpWidth,
    num_hidden_layers: size.blocks,
    num_attention_heads: size.heads,
    num_key_value_heads: size.keyValueHeads,
    head_dim: size.headDim,
    max_position_embeddings: size.context,
    tie_word_embeddings: size.tied,
    vocab_size: size.vocabulary,
    // of the generated tokenizer, which has one special token
    bos_token_id: 0,
    eos_token_id: 0,
  };
}

/** The same under llama.cpp's names. */
function sizeKeys(size: DecoderSize): Readonly<Record<string, number>> {
  return {
    block_count: size.blocks,
    context_length: size.context,
    embedding_length: size.dModel,
    feed_forward_length: size.mlpWidth,
    'attention.head_count': size.heads,
    'attention.head_count_kv': size.keyValueHeads,
    'attention.key_length': size.headDim,
    'attention.value_length': size.headDim,
  };
}

const llamaSize = publishedModel('meta-llama/Llama-3.2-1B');
/** Its rotary divisors, 32 numbers, are left out of the GGUF file: they cost nothing. */
const llama: ModelShape = {
  name: 'llama-1b',
  title: "Llama 3.2 1B's shape",
  config: {
    model_type: 'llama',
    hidden_act: 'silu',
    ...sizeFields(llamaSize),
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    rope_scaling: {
      rope_type: 'llama3',
      factor: 32,
      high_freq_factor: 4,
      low_freq_factor: 1,
      original_max_position_embeddings: 8192,
    },
  },
  gguf: {
    architecture: 'llama',
    integers: { ...sizeKeys(llamaSize), 'rope.dimension_count': llamaSize.headDim },
    floats: { 'attention.layer_norm_rms_epsilon': 1e-5, 'rope.freq_base': 500_000 },
  },
};

const gemmaSize = publishedModel('google/gemma-2-2b');
const gemma: ModelShape = {
  name: 'gemma-2b',
  title: "Gemma 2 2B's shape",
  config: {
    model_type: 'gemma2',
    hidden_activation: 'gelu_pytorch_tanh',
    ...sizeFields(gemmaSize),
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  gguf: {
    architecture: 'gemma2',
    integers: { ...sizeKeys(gemmaSize), 'attention.sliding_window': 4096 },
    floats: {
      'attention.layer_norm_rms_epsilon': 1e-6,
      attn_logit_softcapping: 50,
      final_logit_softcapping: 30,
    },
  },
};

export const shapes: readonly ModelShape[] = [llama, gemma];
