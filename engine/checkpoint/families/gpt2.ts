import { z } from 'zod';
import { plainFeatures } from '../../core/index.ts';
import { activationNames } from './activation-names.ts';
import { windowedLayers } from './attention-layers.ts';
import type { Family, ModuleSource } from './family.ts';

const schema = z.looseObject({
  vocab_size: z.number(),
  n_positions: z.number(),
  n_embd: z.number(),
  n_layer: z.number(),
  n_head: z.number(),
  n_inner: z.number().nullish(),
  activation_function: z.string().default('gelu_new'),
  layer_norm_epsilon: z.number().default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
});

/** Its Conv1D layers hold [in, out], queries, keys and values side by side. */
const projection = (index: number): ModuleSource => {
  return { from: 'attn.c_attn', transposed: true, part: { index, of: 3, turns: 'whole' } };
};

/**
 * GPT-2 (Radford et al. 2019; transformers modeling_gpt2.py): layer norms before attention and MLP, learned positions, biases
 * everywhere, an MLP without a gate.
 */
export const gpt2: Family = {
  name: 'gpt2',
  modelTypes: ['gpt2'],
  configure(file) {
    const json = file.read(schema, {
      harmless: [
        ...['n_ctx', 'attn_pdrop', 'embd_pdrop', 'resid_pdrop', 'summary_activation', 'summary_first_dropout'],
        ...['summary_proj_to_labels', 'summary_type', 'summary_use_proj', 'reorder_and_upcast_attn'],
      ],
      only: { scale_attn_weights: [true], scale_attn_by_inverse_layer_idx: [false] },
    });
    const headDim = json.n_embd / json.n_head;
    const blocks = json.n_layer;
    return {
      ...plainFeatures({ blocks: 0, headDim }, 10_000),
      family: 'gpt2',
      dModel: json.n_embd,
      blocks,
      heads: json.n_head,
      keyValueHeads: json.n_head,
      headDim,
      mlpWidth: json.n_inner ?? 4 * json.n_embd,
      vocabularySize: json.vocab_size,
      contextLength: json.n_positions,
      normEpsilon: json.layer_norm_epsilon,
      norm: 'layer',
      activation: file.oneOf('activation_function', json.activation_function, activationNames),
      gatedMlp: false,
      biases: { queryKeyValue: true, attentionOutput: true, mlp: true },
      learnedPositions: true,
      rotary: [],
      layers: windowedLayers(
        file,
        blocks,
        null,
        () => false,
        () => null,
      ),
      tiedEmbeddings: json.tie_word_embeddings,
    };
  },
  weights: {
    blocks: 'h',
    modules: {
      'model.embed_tokens': { from: 'wte' },
      'model.embed_positions': { from: 'wpe' },
      'model.norm': { from: 'ln_f' },
      input_layernorm: { from: 'ln_1' },
      post_attention_layernorm: { from: 'ln_2' },
      'self_attn.q_proj': projection(0),
      'self_attn.k_proj': projection(1),
      'self_attn.v_proj': projection(2),
      'self_attn.o_proj': { from: 'attn.c_proj', transposed: true },
      'mlp.up_proj': { from: 'mlp.c_fc', transposed: true },
      'mlp.down_proj': { from: 'mlp.c_proj', transposed: true },
    },
    plainName: (name) => name.replace(/^transformer\./, ''),
    // The causal mask.
    unused: [/^h\.\d+\.attn\.(bias|masked_bias)$/],
  },
};
