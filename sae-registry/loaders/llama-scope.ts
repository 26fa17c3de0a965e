import { z } from 'zod';
import { openSafetensors } from '../arrays/safetensors-arrays.ts';
import { plainDictionary } from '../dictionary-weights.ts';
import { sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import { Tensors } from './tensors.ts';

const configName = 'hyperparams.json';
const weightsName = 'checkpoints/final.safetensors';
const norm = z.number().positive().finite();
const configSchema = z.object({
  d_model: z.int().positive(),
  d_sae: z.int().positive(),
  hook_point_in: z.string(),
  hook_point_out: z.string(),
  jump_relu_threshold: z.number().finite(),
  act_fn: z.string().default('jumprelu'),
  norm_activation: z.string().default('dataset-wise'),
  use_decoder_bias: z.boolean().default(true),
  apply_decoder_bias_to_pre_encoder: z.boolean().default(false),
  dataset_average_activation_norm: z.object({ in: norm }),
});

/**
 * Llama Scope (fnlp/Llama3_1-8B-Base-LX…): hyperparams.json, checkpoints/final.safetensors with encoder.weight [features, d_model] and
 * decoder.weight [d_model, features]. Inputs were scaled to a mean norm of √d_model; the one threshold is in units of their own, as
 * SAELens reads it.
 */
export const llamaScope: DictionaryLoader = {
  format: 'Llama Scope',
  recognises: (files) => files.file === null && files.has(configName) && files.has(weightsName),
  modelName: async (files) => modelOf(files.folder),
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const config = await files.json(configName, configSchema);
    if (config.act_fn !== 'jumprelu') throw sourceUnsupported(`Llama Scope act_fn '${config.act_fn}'`);
    if (config.norm_activation !== 'dataset-wise') {
      throw sourceUnsupported(`Llama Scope norm_activation '${config.norm_activation}'`);
    }
    if (config.hook_point_in !== config.hook_point_out) throw sourceUnsupported('A transcoder of Llama Scope');
    const { d_model: width, d_sae: features } = config;
    const inputScale = Math.sqrt(width) / config.dataset_average_activation_norm.in;
    const tensors = new Tensors(await openSafetensors(files.at(weightsName)), configName, residency);
    const decoderBias = config.use_decoder_bias ? tensors.array('decoder.bias', [width]) : new Float32Array(width);
    const thresholds = new Float32Array(features).fill(config.jump_relu_threshold * inputScale);
    return {
      ...plainDictionary,
      modelName: modelOf(files.folder),
      hookPoint: config.hook_point_in,
      hookPointOut: config.hook_point_out,
      hash: await filesHash([configName, weightsName].map(files.at)),
      encoder: await tensors.rows('encoder.weight', features, width),
      decoder: await tensors.columns('decoder.weight', width, features),
      encoderBias: tensors.array('encoder.bias', [features]),
      decoderBias,
      inputBias: config.apply_decoder_bias_to_pre_encoder ? decoderBias : null,
      activation: { kind: 'jumprelu', thresholds },
      inputScale,
      foldDecoderNorms,
    };
  },
};

function modelOf(folder: string): string | null {
  return /Llama3_1-8B-Base/.test(folder) ? 'meta-llama/Llama-3.1-8B' : null;
}
