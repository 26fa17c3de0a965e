import { z } from 'zod';
import { activationNames } from './activation-names.ts';
import { statedLayers, windowedLayers } from './attention-layers.ts';
import type { ConfigFile } from './config-file.ts';
import type { Family, FamilyConfig, ModuleSource, WeightNames } from './family.ts';
import { llamaConfig, llamaFields } from './llama.ts';

/** What Gemma's configurations have besides Llama's fields, with the defaults of transformers configuration_gemma2.py. */
export const gemmaFields = {
  ...llamaFields,
  hidden_activation: z.string().nullish(),
  query_pre_attn_scalar: z.number().default(256),
  layer_types: z.array(z.string()).nullish(),
  tie_word_embeddings: z.boolean().default(true),
};
const schema = z.looseObject({
  ...gemmaFields,
  head_dim: z.number().default(256),
  sliding_window: z.number().nullable().default(4096),
  attn_logit_softcapping: z.number().nullable().default(50),
  final_logit_softcapping: z.number().nullable().default(30),
});
/** transformers computes by `hidden_activation` and leaves `hidden_act` alone. */
export const gemmaOtherKeys = { only: { attention_bias: [false], use_bidirectional_attention: [false] } };

/** Gemma's block by fields that are read already. */
export function gemmaConfig(
  file: ConfigFile,
  family: FamilyConfig['family'],
  json: z.infer<z.ZodObject<typeof gemmaFields>>,
): FamilyConfig {
  const activation = file.oneOf('hidden_activation', json.hidden_activation ?? 'gelu_pytorch_tanh', activationNames);
  return {
    ...llamaConfig(file, family, { ...json, hidden_act: 'silu' }),
    activation,
    outputNorms: true,
    embeddingScale: Math.sqrt(json.hidden_size),
    attention: { scale: json.query_pre_attn_scalar ** -0.5, softCap: null },
  };
}

/** Gains are stored less one (transformers Gemma2RMSNorm: x·(1 + w)). */
const norm = (from: string): ModuleSource => ({ from, plus: 1 });

/** Norms before and after attention and MLP. Gemma's `post_attention_layernorm` comes after attention, Llama's before the MLP. */
export const gemmaNames: WeightNames = {
  blocks: 'model.layers',
  modules: {
    'model.norm': norm('model.norm'),
    input_layernorm: norm('input_layernorm'),
    attention_output_layernorm: norm('post_attention_layernorm'),
    post_attention_layernorm: norm('pre_feedforward_layernorm'),
    mlp_output_layernorm: norm('post_feedforward_layernorm'),
    'self_attn.q_norm': norm('self_attn.q_norm'),
    'self_attn.k_norm': norm('self_attn.k_norm'),
  },
  unused: [/^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/],
};

/**
 * Gemma 2 (Gemma team 2024; transformers modeling_gemma2.py): RMS norms before and after attention and MLP, GeGLU, scores and logits
 * capped, every other block with a window, the embedding scaled by √d_model.
 */
export const gemma2: Family = {
  name: 'gemma2',
  modelTypes: ['gemma2'],
  configure(file) {
    const json = file.read(schema, gemmaOtherKeys);
    const config = gemmaConfig(file, 'gemma2', json);
    const slides = statedLayers(file, config.blocks, json.layer_types) ?? ((block: number) => block % 2 === 0);
    return {
      ...config,
      attention: { ...config.attention, softCap: json.attn_logit_softcapping },
      layers: windowedLayers(file, config.blocks, json.sliding_window, slides),
      finalSoftCap: json.final_logit_softcapping,
    };
  },
  weights: gemmaNames,
};
