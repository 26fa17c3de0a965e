import { plainFeatures } from '../../core/index.ts';
import type { ModuleSource, WeightNames } from '../families/family.ts';
import type { GgufFamily } from './gguf-family.ts';
import { sizesOf } from './sizes.ts';

/** All queries, then all keys, then all values, one below the other. */
const projection = (index: number): ModuleSource => ({ from: 'attn_qkv', part: { index, of: 3, turns: 'whole' } });

/** What llama.cpp calls the modules of a block with fused projections and no gate. */
export const fusedNames: WeightNames = {
  blocks: 'blk',
  modules: {
    'model.embed_tokens': { from: 'token_embd' },
    'model.embed_positions': { from: 'position_embd' },
    'model.norm': { from: 'output_norm' },
    lm_head: { from: 'output' },
    input_layernorm: { from: 'attn_norm' },
    'self_attn.q_proj': projection(0),
    'self_attn.k_proj': projection(1),
    'self_attn.v_proj': projection(2),
    'self_attn.o_proj': { from: 'attn_output' },
    post_attention_layernorm: { from: 'ffn_norm' },
    'mlp.up_proj': { from: 'ffn_up' },
    'mlp.down_proj': { from: 'ffn_down' },
  },
  unused: [],
};

/**
 * GPT-2. The converter turns Conv1D's [in, out] matrices over. An `output.weight`, which older files have, is the embedding in another
 * type; it is used as it is there, as llama.cpp does.
 */
export const gpt2: GgufFamily = {
  architecture: 'gpt2',
  configure(file) {
    const sizes = sizesOf(file);
    return {
      ...plainFeatures(sizes, 1),
      ...sizes,
      family: 'gpt2',
      normEpsilon: file.requireNumber('attention.layer_norm_epsilon'),
      norm: 'layer',
      activation: 'gelu_tanh',
      gatedMlp: false,
      biases: { queryKeyValue: true, attentionOutput: true, mlp: true },
      learnedPositions: true,
      rotary: [],
      layers: Array.from({ length: sizes.blocks }, () => ({ window: null, rotary: null })),
    };
  },
  weights: fusedNames,
  interleavedRotary: false,
};
