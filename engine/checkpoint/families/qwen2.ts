import { z } from 'zod';
import { statedLayers, windowedLayers } from './attention-layers.ts';
import type { ConfigFile } from './config-file.ts';
import type { Family, FamilyConfig } from './family.ts';
import { llamaConfig, llamaFields, llamaNames } from './llama.ts';

/** The window that Qwen's later blocks may have; published checkpoints switch it off. */
export const qwenFields = {
  ...llamaFields,
  sliding_window: z.number().nullable().default(4096),
  use_sliding_window: z.boolean().default(false),
  max_window_layers: z.number().default(28),
  layer_types: z.array(z.string()).nullish(),
};
const schema = z.looseObject(qwenFields);

/** The attention of Qwen's blocks: from `max_window_layers` on they have a window, where it is switched on. */
export function qwenLayers(file: ConfigFile, blocks: number, json: z.infer<typeof schema>): FamilyConfig['layers'] {
  const window = json.use_sliding_window ? json.sliding_window : null;
  const stated = statedLayers(file, blocks, json.layer_types);
  const slides = stated ?? ((block: number) => window !== null && block >= json.max_window_layers);
  return windowedLayers(file, blocks, window, slides);
}

/** Llama with biases of queries, keys and values (Qwen team 2024; transformers modeling_qwen2.py). Qwen2 and Qwen2.5. */
export const qwen2: Family = {
  name: 'qwen2',
  modelTypes: ['qwen2'],
  configure(file) {
    const json = file.read(schema, { only: { use_mrope: [false], attention_bias: [true] } });
    const config = llamaConfig(file, 'qwen2', json);
    const biases = { queryKeyValue: true, attentionOutput: false, mlp: false };
    return { ...config, biases, layers: qwenLayers(file, config.blocks, json) };
  },
  weights: llamaNames,
};
