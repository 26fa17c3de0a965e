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

/** meta-llama/Llama-3.2-1B. Its rotary divisors, 32 numbers, are left out of the GGUF file: they cost nothing. */
const llama: ModelShape = {
  name: 'llama-1b',
  title: "Llama 3.2 1B's shape",
  config: {
    model_type: 'llama',
    hidden_act: 'silu',
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    rope_scaling: {
      rope_type: 'llama3',
      factor: 32,
      high_freq_factor: 4,
      low_freq_factor: 1,
      original_max_position_embeddings: 8192,
    },
    tie_word_embeddings: true,
    vocab_size: 128_256,
    bos_token_id: 0,
    eos_token_id: 0,
  },
  gguf: {
    architecture: 'llama',
    integers: {
      block_count: 16,
      context_length: 131_072,
      embedding_length: 2048,
      feed_forward_length: 8192,
      'attention.head_count': 32,
      'attention.head_count_kv': 8,
      'attention.key_length': 64,
      'attention.value_length': 64,
      'rope.dimension_count': 64,
    },
    floats: { 'attention.layer_norm_rms_epsilon': 1e-5, 'rope.freq_base': 500_000 },
  },
};

/** google/gemma-2-2b */
const gemma: ModelShape = {
  name: 'gemma-2b',
  title: "Gemma 2 2B's shape",
  config: {
    model_type: 'gemma2',
    hidden_activation: 'gelu_pytorch_tanh',
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    tie_word_embeddings: true,
    vocab_size: 256_000,
    bos_token_id: 0,
    eos_token_id: 0,
  },
  gguf: {
    architecture: 'gemma2',
    integers: {
      block_count: 26,
      context_length: 8192,
      embedding_length: 2304,
      feed_forward_length: 9216,
      'attention.head_count': 8,
      'attention.head_count_kv': 4,
      'attention.key_length': 256,
      'attention.value_length': 256,
      'attention.sliding_window': 4096,
    },
    floats: {
      'attention.layer_norm_rms_epsilon': 1e-6,
      attn_logit_softcapping: 50,
      final_logit_softcapping: 30,
    },
  },
};

export const shapes: readonly ModelShape[] = [llama, gemma];
