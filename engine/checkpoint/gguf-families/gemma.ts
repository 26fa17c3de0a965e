import type { FamilyConfig, WeightNames } from '../families/family.ts';
import type { GgufFamily } from './gguf-family.ts';
import type { GgufFile } from './gguf-file.ts';
import { llamaConfig, llamaNames } from './llama.ts';
import { slidingBlocks, windowedLayers, windowOf } from './windows.ts';

/**
 * Gemma's scores are scaled by `query_pre_attn_scalar`, which files do not state: it is the width of a head but in the largest model of
 * each generation, where it is d_model / heads (llama.cpp goes by the number of blocks too).
 */
const blocksOfLargest = { gemma2: 46, gemma3: 62 } as const;

function gemmaConfig(file: GgufFile, family: keyof typeof blocksOfLargest): FamilyConfig {
  const config = llamaConfig(file, family);
  const width = config.blocks === blocksOfLargest[family] ? config.dModel / config.heads : config.headDim;
  return {
    ...config,
    activation: 'gelu_tanh',
    outputNorms: true,
    embeddingScale: Math.sqrt(config.dModel),
    attention: {
      scale: file.number('attention.scale') ?? 1 / Math.sqrt(width),
      softCap: file.number('attn_logit_softcapping') ?? null,
    },
    finalSoftCap: file.number('final_logit_softcapping') ?? null,
  };
}

/** Gains of norms are whole: the converter has added the one that published files leave out. */
const names: WeightNames = {
  ...llamaNames,
  modules: {
    ...llamaNames.modules,
    attention_output_layernorm: { from: 'post_attention_norm' },
    mlp_output_layernorm: { from: 'post_ffw_norm' },
    'self_attn.q_norm': { from: 'attn_q_norm' },
    'self_attn.k_norm': { from: 'attn_k_norm' },
  },
};

const gemma2Pattern = 2;

/** Gemma 2: every other block has a window, scores and logits are capped. */
export const gemma2: GgufFamily = {
  architecture: 'gemma2',
  configure(file) {
    const config = gemmaConfig(file, 'gemma2');
    return { ...config, layers: windowedLayers(slidingBlocks(file, config.blocks, gemma2Pattern), windowOf(file)) };
  },
  weights: names,
  interleavedRotary: false,
};

const gemma3Pattern = 6;
/** Rotary base of blocks with a window, where a file does not name it. */
const localBase = 10_000;

/** Gemma 3, the text part: five blocks with a window to one without, each kind with its own rotary base; scaling is of the latter. */
export const gemma3: GgufFamily = {
  architecture: 'gemma3',
  configure(file) {
    const config = gemmaConfig(file, 'gemma3');
    const slides = slidingBlocks(file, config.blocks, gemma3Pattern);
    const local = { dimensions: config.headDim, base: file.number('rope.freq_base_swa') ?? localBase, scaling: null };
    return {
      ...config,
      queryKeyNorm: true,
      rotary: [...config.rotary, local],
      layers: windowedLayers(slides, windowOf(file), (sliding) => (sliding ? 1 : 0)),
    };
  },
  weights: names,
  interleavedRotary: false,
};
