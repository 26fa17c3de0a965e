import { plainFeatures } from '../../core/index.ts';
import type { FamilyConfig, WeightNames } from '../families/family.ts';
import type { GgufFamily } from './gguf-family.ts';
import type { GgufFile } from './gguf-file.ts';
import { rotaryOf } from './rotary.ts';
import { sizesOf } from './sizes.ts';
import { windowOf } from './windows.ts';

/** A Llama by its metadata; architectures that took over its block add what they have besides. */
export function llamaConfig(file: GgufFile, family: FamilyConfig['family']): FamilyConfig {
  const sizes = sizesOf(file);
  file.expect('rope.dimension_count', sizes.headDim);
  return {
    ...plainFeatures(sizes, 1),
    ...sizes,
    family,
    normEpsilon: file.requireNumber('attention.layer_norm_rms_epsilon'),
    rotary: [rotaryOf(file, sizes.headDim)],
  };
}

/** What llama.cpp calls the modules of Llama's block (gguf-py/gguf/tensor_mapping.py). */
export const llamaNames: WeightNames = {
  blocks: 'blk',
  modules: {
    'model.embed_tokens': { from: 'token_embd' },
    'model.norm': { from: 'output_norm' },
    lm_head: { from: 'output' },
    input_layernorm: { from: 'attn_norm' },
    'self_attn.q_proj': { from: 'attn_q' },
    'self_attn.k_proj': { from: 'attn_k' },
    'self_attn.v_proj': { from: 'attn_v' },
    'self_attn.o_proj': { from: 'attn_output' },
    post_attention_layernorm: { from: 'ffn_norm' },
    'mlp.gate_proj': { from: 'ffn_gate' },
    'mlp.up_proj': { from: 'ffn_up' },
    'mlp.down_proj': { from: 'ffn_down' },
  },
  unused: [],
};

/**
 * Llama and Mistral: rows of q and k interleaved, those of their biases too. A window, where a file names one, is Mistral's, of all
 * blocks. No key tells of biases: the first block has them or all go without, and checking tensors finds what then lacks or is extra.
 */
export const llama: GgufFamily = {
  architecture: 'llama',
  configure(file) {
    const config = llamaConfig(file, 'llama');
    const window = windowOf(file);
    const has = (module: string) => file.shapes.tensors.has(`blk.0.${module}.bias`);
    const biases = { queryKeyValue: has('attn_q'), attentionOutput: has('attn_output'), mlp: has('ffn_gate') };
    return { ...config, biases, layers: config.layers.map((layer) => ({ ...layer, window })) };
  },
  weights: llamaNames,
  interleavedRotary: true,
};
