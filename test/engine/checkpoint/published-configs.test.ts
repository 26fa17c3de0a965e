import { expect, it } from 'vitest';
import { configFromJson } from '../../../engine/checkpoint/config-json.ts';
import type { ModelConfig } from '../../../engine/core/index.ts';

type Json = Record<string, unknown>;

const gpt2Heads = {
  ...{ attn_pdrop: 0.1, embd_pdrop: 0.1, resid_pdrop: 0.1, initializer_range: 0.02, summary_activation: null },
  ...{ summary_first_dropout: 0.1, summary_proj_to_labels: true, summary_type: 'cls_index', summary_use_proj: true },
};
const llama3Rope = {
  ...{ factor: 32, high_freq_factor: 4, low_freq_factor: 1, original_max_position_embeddings: 8192 },
  rope_type: 'llama3',
};
const gemma3Layers = Array.from({ length: 18 }, (_, block) =>
  block % 6 === 5 ? 'full_attention' : 'sliding_attention',
);

/** The keys and values of published configurations, and what of the features they mean. */
const published: readonly [string, Json, Partial<ModelConfig>][] = [
  [
    'openai-community/gpt2-medium',
    {
      ...{ activation_function: 'gelu_new', architectures: ['GPT2LMHeadModel'], bos_token_id: 50_256, ...gpt2Heads },
      ...{ eos_token_id: 50_256, layer_norm_epsilon: 1e-5, model_type: 'gpt2', n_ctx: 1024, n_embd: 1024, n_head: 16 },
      ...{ n_layer: 24, n_positions: 1024, n_special: null, output_past: true, vocab_size: 50_257 },
      task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } },
    },
    { family: 'gpt2', headDim: 64, mlpWidth: 4096, contextLength: 1024, tiedEmbeddings: true },
  ],
  [
    'EleutherAI/pythia-2.8b',
    {
      ...{ architectures: ['GPTNeoXForCausalLM'], bos_token_id: 0, eos_token_id: 0, hidden_act: 'gelu' },
      ...{ hidden_size: 2560, initializer_range: 0.02, intermediate_size: 10_240, layer_norm_eps: 1e-5 },
      ...{ max_position_embeddings: 2048, model_type: 'gpt_neox', num_attention_heads: 32, num_hidden_layers: 32 },
      ...{ rotary_emb_base: 10_000, rotary_pct: 0.25, tie_word_embeddings: false, torch_dtype: 'float16' },
      ...{ transformers_version: '4.24.0', use_cache: true, use_parallel_residual: true, vocab_size: 50_304 },
    },
    { headDim: 80, parallelResidual: true, rotary: [{ dimensions: 20, base: 10_000, scaling: null }] },
  ],
  [
    'HuggingFaceTB/SmolLM2-135M-Instruct',
    {
      ...{ architectures: ['LlamaForCausalLM'], attention_bias: false, attention_dropout: 0, bos_token_id: 1 },
      ...{ eos_token_id: 2, hidden_act: 'silu', hidden_size: 576, initializer_range: 0.04, intermediate_size: 1536 },
      ...{ is_llama_config: true, max_position_embeddings: 8192, mlp_bias: false, model_type: 'llama' },
      ...{ num_attention_heads: 9, num_hidden_layers: 30, num_key_value_heads: 3, pad_token_id: 2, pretraining_tp: 1 },
      ...{ rms_norm_eps: 1e-5, rope_interleaved: false, rope_scaling: null, rope_theta: 100_000 },
      ...{ tie_word_embeddings: true, torch_dtype: 'bfloat16', transformers_version: '4.42.3', use_cache: true },
      'transformers.js_config': { kv_cache_dtype: { q4f16: 'float16' } },
      vocab_size: 49_152,
    },
    { headDim: 64, keyValueHeads: 3, rotary: [{ dimensions: 64, base: 100_000, scaling: null }] },
  ],
  [
    'meta-llama/Llama-3.2-1B',
    {
      ...{ architectures: ['LlamaForCausalLM'], attention_bias: false, attention_dropout: 0, bos_token_id: 128_000 },
      ...{ eos_token_id: 128_001, head_dim: 64, hidden_act: 'silu', hidden_size: 2048, initializer_range: 0.02 },
      ...{ intermediate_size: 8192, max_position_embeddings: 131_072, mlp_bias: false, model_type: 'llama' },
      ...{ num_attention_heads: 32, num_hidden_layers: 16, num_key_value_heads: 8, pretraining_tp: 1 },
      ...{ rms_norm_eps: 1e-5, rope_scaling: llama3Rope, rope_theta: 500_000, tie_word_embeddings: true },
      ...{ torch_dtype: 'bfloat16', transformers_version: '4.45.0.dev0', use_cache: true, vocab_size: 128_256 },
    },
    { family: 'llama', contextLength: 131_072, tiedEmbeddings: true },
  ],
  [
    'mistralai/Mistral-7B-v0.1',
    {
      ...{ architectures: ['MistralForCausalLM'], bos_token_id: 1, eos_token_id: 2, hidden_act: 'silu' },
      ...{ hidden_size: 4096, initializer_range: 0.02, intermediate_size: 14_336, max_position_embeddings: 32_768 },
      ...{ model_type: 'mistral', num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 8 },
      ...{ rms_norm_eps: 1e-5, rope_theta: 10_000, sliding_window: 4096, tie_word_embeddings: false },
      ...{ torch_dtype: 'bfloat16', transformers_version: '4.34.0.dev0', use_cache: true, vocab_size: 32_000 },
    },
    { layers: Array.from({ length: 32 }, () => ({ window: 4096, rotary: 0 })), headDim: 128 },
  ],
  [
    'Qwen/Qwen2.5-0.5B-Instruct',
    {
      ...{ architectures: ['Qwen2ForCausalLM'], attention_dropout: 0, bos_token_id: 151_643, eos_token_id: 151_645 },
      ...{ hidden_act: 'silu', hidden_size: 896, initializer_range: 0.02, intermediate_size: 4864 },
      ...{ max_position_embeddings: 32_768, max_window_layers: 21, model_type: 'qwen2', num_attention_heads: 14 },
      ...{ num_hidden_layers: 24, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1_000_000 },
      ...{ sliding_window: 32_768, tie_word_embeddings: true, torch_dtype: 'bfloat16', use_cache: true },
      ...{ transformers_version: '4.43.1', use_sliding_window: false, vocab_size: 151_936 },
    },
    {
      biases: { queryKeyValue: true, attentionOutput: false, mlp: false },
      layers: Array.from({ length: 24 }, () => ({ window: null, rotary: 0 })),
    },
  ],
  [
    'Qwen/Qwen3-0.6B',
    {
      ...{ architectures: ['Qwen3ForCausalLM'], attention_bias: false, attention_dropout: 0, bos_token_id: 151_643 },
      ...{ eos_token_id: 151_645, head_dim: 128, hidden_act: 'silu', hidden_size: 1024, initializer_range: 0.02 },
      ...{ intermediate_size: 3072, max_position_embeddings: 40_960, max_window_layers: 28, model_type: 'qwen3' },
      ...{ num_attention_heads: 16, num_hidden_layers: 28, num_key_value_heads: 8, rms_norm_eps: 1e-6 },
      ...{ rope_scaling: null, rope_theta: 1_000_000, sliding_window: null, tie_word_embeddings: true },
      ...{ torch_dtype: 'bfloat16', transformers_version: '4.51.0', use_cache: true, use_sliding_window: false },
      vocab_size: 151_936,
    },
    { queryKeyNorm: true, headDim: 128, heads: 16, dModel: 1024 },
  ],
  [
    'google/gemma-2-2b-it',
    {
      ...{ architectures: ['Gemma2ForCausalLM'], attention_bias: false, attention_dropout: 0, bos_token_id: 2 },
      ...{ attn_logit_softcapping: 50, cache_implementation: 'hybrid', eos_token_id: [1, 107], head_dim: 256 },
      ...{ final_logit_softcapping: 30, hidden_act: 'gelu_pytorch_tanh', hidden_activation: 'gelu_pytorch_tanh' },
      ...{ hidden_size: 2304, initializer_range: 0.02, intermediate_size: 9216, max_position_embeddings: 8192 },
      ...{ model_type: 'gemma2', num_attention_heads: 8, num_hidden_layers: 26, num_key_value_heads: 4 },
      ...{ pad_token_id: 0, query_pre_attn_scalar: 256, rms_norm_eps: 1e-6, rope_theta: 10_000 },
      ...{ sliding_window: 4096, torch_dtype: 'bfloat16', transformers_version: '4.42.4', use_cache: true },
      vocab_size: 256_000,
    },
    { attention: { scale: 1 / 16, softCap: 50 }, finalSoftCap: 30, embeddingScale: 48, tiedEmbeddings: true },
  ],
  [
    'google/gemma-3-270m',
    {
      ...{ _sliding_window_pattern: 6, architectures: ['Gemma3ForCausalLM'], attention_bias: false, bos_token_id: 2 },
      ...{ attention_dropout: 0, attn_logit_softcapping: null, eos_token_id: 1, final_logit_softcapping: null },
      ...{ head_dim: 256, hidden_activation: 'gelu_pytorch_tanh', hidden_size: 640, initializer_range: 0.02 },
      ...{ intermediate_size: 2048, layer_types: gemma3Layers, max_position_embeddings: 32_768 },
      ...{ model_type: 'gemma3_text', num_attention_heads: 4, num_hidden_layers: 18, num_key_value_heads: 1 },
      ...{ pad_token_id: 0, query_pre_attn_scalar: 256, rms_norm_eps: 1e-6, rope_local_base_freq: 10_000 },
      ...{ rope_scaling: null, rope_theta: 1_000_000, sliding_window: 512, torch_dtype: 'bfloat16' },
      ...{ transformers_version: '4.55.0.dev0', use_bidirectional_attention: false, use_cache: true },
      vocab_size: 262_144,
    },
    {
      layers: gemma3Layers.map((type) =>
        type === 'full_attention' ? { window: null, rotary: 0 } : { window: 512, rotary: 1 },
      ),
      queryKeyNorm: true,
      outputNorms: true,
    },
  ],
  [
    'google/gemma-3-4b-it',
    {
      ...{ architectures: ['Gemma3ForConditionalGeneration'], boi_token_index: 255_999, eoi_token_index: 256_000 },
      ...{ eos_token_id: [1, 106], image_token_index: 262_144, initializer_range: 0.02, mm_tokens_per_image: 256 },
      ...{ model_type: 'gemma3', torch_dtype: 'bfloat16', transformers_version: '4.50.0.dev0' },
      text_config: {
        ...{ hidden_size: 2560, intermediate_size: 10_240, model_type: 'gemma3_text', num_hidden_layers: 34 },
        ...{ rope_scaling: { factor: 8, rope_type: 'linear' }, sliding_window: 1024 },
      },
      vision_config: { hidden_size: 1152, model_type: 'siglip_vision_model', vision_use_head: false },
    },
    {
      ...{ blocks: 34, heads: 8, keyValueHeads: 4, headDim: 256, vocabularySize: 262_208, tiedEmbeddings: true },
      rotary: [
        { dimensions: 256, base: 1_000_000, scaling: { kind: 'linear', factor: 8 } },
        { dimensions: 256, base: 10_000, scaling: null },
      ],
      eosTokenIds: [1, 106],
    },
  ],
];

it.each(published)('%s', (_, json, features) => {
  const { config } = configFromJson('config.json', json, undefined, { bosTokenId: null, eosTokenIds: [] });
  expect(config).toMatchObject(features);
});
