import { z } from 'zod';
import { plainFeatures } from '../../core/index.ts';
import { activationNames } from './activation-names.ts';
import { windowedLayers } from './attention-layers.ts';
import type { Family, ModuleSource } from './family.ts';
import { ropeFields, rotaryOf } from './rotary.ts';

const schema = z.looseObject({
  vocab_size: z.number(),
  hidden_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  intermediate_size: z.number(),
  hidden_act: z.string().default('gelu'),
  rotary_pct: z.number().default(0.25),
  rotary_emb_base: z.number().default(10_000),
  max_position_embeddings: z.number(),
  layer_norm_eps: z.number().default(1e-5),
  use_parallel_residual: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
  ...ropeFields,
});

/** Queries, keys and values of one head stand together. */
const projection = (index: number): ModuleSource => {
  return { from: 'attention.query_key_value', part: { index, of: 3, turns: 'head' } };
};

/**
 * GPT-NeoX (Black et al. 2022; transformers modeling_gpt_neox.py), Pythia's architecture: layer norms, attention and MLP side by side,
 * the first quarter of each head rotated, biases everywhere, an MLP without a gate.
 */
export const gptNeox: Family = {
  name: 'gpt_neox',
  modelTypes: ['gpt_neox'],
  configure(file) {
    const json = file.read(schema, { harmless: ['rope_type'], only: { attention_bias: [true] } });
    const headDim = json.hidden_size / json.num_attention_heads;
    const blocks = json.num_hidden_layers;
    const defaults = { dimensions: Math.floor(headDim * json.rotary_pct), base: json.rotary_emb_base };
    return {
      ...plainFeatures({ blocks: 0, headDim }, json.rotary_emb_base),
      family: 'gpt_neox',
      dModel: json.hidden_size,
      blocks,
      heads: json.num_attention_heads,
      keyValueHeads: json.num_attention_heads,
      headDim,
      mlpWidth: json.intermediate_size,
      vocabularySize: json.vocab_size,
      contextLength: json.max_position_embeddings,
      normEpsilon: json.layer_norm_eps,
      norm: 'layer',
      activation: file.oneOf('hidden_act', json.hidden_act, activationNames),
      gatedMlp: false,
      biases: { queryKeyValue: true, attentionOutput: true, mlp: true },
      parallelResidual: json.use_parallel_residual,
      rotary: [rotaryOf(file, json, { ...defaults, partialOf: headDim })],
      layers: windowedLayers(file, blocks, null, () => false),
      tiedEmbeddings: json.tie_word_embeddings,
    };
  },
  weights: {
    blocks: 'gpt_neox.layers',
    modules: {
      'model.embed_tokens': { from: 'gpt_neox.embed_in' },
      'model.norm': { from: 'gpt_neox.final_layer_norm' },
      lm_head: { from: 'embed_out' },
      'self_attn.q_proj': projection(0),
      'self_attn.k_proj': projection(1),
      'self_attn.v_proj': projection(2),
      'self_attn.o_proj': { from: 'attention.dense' },
      'mlp.up_proj': { from: 'mlp.dense_h_to_4h' },
      'mlp.down_proj': { from: 'mlp.dense_4h_to_h' },
    },
    // transformers writes `lm_head` from version 5 on.
    plainName: (name) => name.replace(/^lm_head\./, 'embed_out.'),
    // The causal mask, and rotary tables, which follow from the configuration.
    unused: [
      /^gpt_neox\.layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
      /^gpt_neox\.rotary_emb\.inv_freq$/,
    ],
  },
};
