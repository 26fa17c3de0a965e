import { z } from 'zod';
import type { Family } from './family.ts';
import { llamaConfig, llamaNames } from './llama.ts';
import { qwenFields, qwenLayers } from './qwen2.ts';

const schema = z.looseObject({ ...qwenFields, head_dim: z.number().nullish().default(128) });

/** Llama whose queries and keys are normalised head by head (Qwen team 2025; transformers modeling_qwen3.py). */
export const qwen3: Family = {
  name: 'qwen3',
  modelTypes: ['qwen3'],
  configure(file) {
    const json = file.read(schema, { only: { attention_bias: [false] } });
    const config = llamaConfig(file, 'qwen3', json);
    return { ...config, queryKeyNorm: true, layers: qwenLayers(file, config.blocks, json) };
  },
  weights: llamaNames,
};
