import type { GgufFamily } from './gguf-family.ts';
import { llamaConfig, llamaNames } from './llama.ts';

/** Qwen2 and Qwen2.5: Llama's block with biases of q, k and v, rows as published. */
export const qwen2: GgufFamily = {
  architecture: 'qwen2',
  configure(file) {
    const biases = { queryKeyValue: true, attentionOutput: false, mlp: false };
    return { ...llamaConfig(file, 'qwen2'), biases };
  },
  weights: llamaNames,
  interleavedRotary: false,
};

/** Qwen3: Llama's block with queries and keys normalised head by head, rows as published. */
export const qwen3: GgufFamily = {
  architecture: 'qwen3',
  configure: (file) => ({ ...llamaConfig(file, 'qwen3'), queryKeyNorm: true }),
  weights: {
    ...llamaNames,
    modules: {
      ...llamaNames.modules,
      'self_attn.q_norm': { from: 'attn_q_norm' },
      'self_attn.k_norm': { from: 'attn_k_norm' },
    },
  },
  interleavedRotary: false,
};
