import { z } from 'zod';
import { plainFeatures } from '../../core/index.ts';
import { windowedLayers } from './attention-layers.ts';
import type { ConfigFile } from './config-file.ts';
import type { Family, FamilyConfig, WeightNames } from './family.ts';
import { ropeFields, rotaryOf } from './rotary.ts';

/** What Llama and those that took over its block have in common (transformers configuration_llama.py). */
export const llamaFields = {
  hidden_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  num_key_value_heads: z.number().nullish(),
  head_dim: z.number().nullish(),
  intermediate_size: z.number(),
  vocab_size: z.number(),
  max_position_embeddings: z.number(),
  rms_norm_eps: z.number().default(1e-6),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  ...ropeFields,
};
const llamaSchema = z.looseObject(llamaFields);
const biasedSchema = z.looseObject({
  ...llamaFields,
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});
const mistralSchema = z.looseObject({ ...llamaFields, sliding_window: z.number().nullable().default(4096) });

/** A Llama by its configuration's fields; families add what they have besides. */
export function llamaConfig(
  file: ConfigFile,
  family: FamilyConfig['family'],
  json: z.infer<typeof llamaSchema>,
  headDim = json.head_dim ?? json.hidden_size / json.num_attention_heads,
): FamilyConfig {
  const blocks = json.num_hidden_layers;
  file.oneOf('hidden_act', json.hidden_act, { silu: true, swish: true });
  return {
    ...plainFeatures({ blocks: 0, headDim }, 10_000),
    layers: windowedLayers(file, blocks, null, () => false),
    family,
    dModel: json.hidden_size,
    blocks,
    heads: json.num_attention_heads,
    keyValueHeads: json.num_key_value_heads ?? json.num_attention_heads,
    headDim,
    mlpWidth: json.intermediate_size,
    vocabularySize: json.vocab_size,
    contextLength: json.max_position_embeddings,
    normEpsilon: json.rms_norm_eps,
    rotary: [rotaryOf(file, json, { dimensions: headDim, base: 10_000 })],
    tiedEmbeddings: json.tie_word_embeddings,
  };
}

/** Llama's own names are the graph's. Rotary tables follow from the configuration. */
export const llamaNames: WeightNames = {
  blocks: 'model.layers',
  modules: {},
  unused: [/^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/],
};

const noBiases = { attention_bias: [false], mlp_bias: [false] };

/**
 * The Llama block (Touvron et al. 2023; transformers modeling_llama.py): RMS norms before attention and MLP, rotary grouped-query
 * attention, SwiGLU. Llama 3.1 and later scale low rotary frequencies. Published models have no biases; variants may, of all four
 * projections of attention (`attention_bias`), of all three matrices of the MLP (`mlp_bias`).
 */
export const llama: Family = {
  name: 'llama',
  modelTypes: ['llama'],
  configure(file) {
    const only = { sliding_window: [], use_sliding_window: [false], partial_rotary_factor: [1] };
    const caps = { attn_logit_softcapping: [], final_logit_softcapping: [] };
    const json = file.read(biasedSchema, { only: { ...only, ...caps } });
    const { attention_bias: attention, mlp_bias: mlp } = json;
    const biases = { queryKeyValue: attention, attentionOutput: attention, mlp };
    return { ...llamaConfig(file, 'llama', json), biases };
  },
  weights: llamaNames,
};

/** Llama whose blocks all look back on a window of keys (Jiang et al. 2023; transformers modeling_mistral.py). */
export const mistral: Family = {
  name: 'llama',
  modelTypes: ['mistral'],
  configure(file) {
    const json = file.read(mistralSchema, { only: noBiases });
    const config = llamaConfig(file, 'llama', json);
    return { ...config, layers: windowedLayers(file, config.blocks, json.sliding_window, () => true) };
  },
  weights: llamaNames,
};
