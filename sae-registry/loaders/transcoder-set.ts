import { z } from 'zod';
import { openSafetensors } from '../arrays/safetensors-arrays.ts';
import { type ActivationFunction, type DictionaryPlace, plainDictionary } from '../dictionary-weights.ts';
import { readOptionalYaml } from '../read-yaml.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import type { SourceFiles } from './source-files.ts';
import { Tensors } from './tensors.ts';

const fileName = /^layer_(\d+)\.safetensors$/;
const configName = 'config.yaml';
/** Some of mwhanna's sets have this alone (one of them misspells it); it has no hook points. */
const runNames = ['wandb-config.yaml', 'wanb-config.yaml'];
const configSchema = z.object({
  model_name: z.string().nullish(),
  model_kind: z.string().default('transcoder_set'),
  feature_input_hook: z.string().nullish(),
  feature_output_hook: z.string().nullish(),
  activation: z.string().nullish(),
  k: z.int().positive().nullish(),
});

/**
 * One layer of a set of transcoders for circuit-tracer (circuit_tracer/transcoder/single_layer_transcoder.py), as mwhanna's and mntss' are:
 * layer_{n}.safetensors with W_enc [features, d], W_dec [features, d], b_enc, b_dec and, where it has them,
 * activation_function.threshold and W_skip [d, d]; the set's config.yaml says the model and the hook points of every layer.
 */
export const transcoderSet: DictionaryLoader = {
  format: 'transcoder set (circuit-tracer)',
  recognises: (files) => [configName, ...runNames].some(files.has) && files.theOne(fileName) !== null,
  modelName: async (files) => (await readPlace(files, 0)).modelName,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const name = files.theOne(fileName) ?? '';
    const { activation, k, ...place } = await readPlace(files, Number(fileName.exec(name)?.[1]));
    const tensors = new Tensors(await openSafetensors(files.at(name)), 'W_enc', residency);
    const [features, dIn] = tensors.matrixShape('W_enc');
    const [, dOut] = tensors.matrixShape('W_dec');
    if (foldDecoderNorms && activation === 'topk') {
      throw sourceUnsupported('Folding the decoder norms of a TopK dictionary, which changes what it selects');
    }
    return {
      ...plainDictionary,
      kind: 'transcoder',
      ...place,
      hash: await filesHash([...(files.has(configName) ? [configName] : []), name].map(files.at)),
      encoder: await tensors.rows('W_enc', features, dIn),
      decoder: await tensors.rows('W_dec', features, dOut),
      encoderBias: tensors.array('b_enc', [features]),
      decoderBias: tensors.array('b_dec', [dOut]),
      activation: activationOf(tensors, features, activation, k),
      skip: tensors.has('W_skip') ? tensors.array('W_skip', [dOut, dIn]) : null,
      foldDecoderNorms,
    };
  },
};

/** circuit-tracer's JumpReLU has no ReLU in it: with a threshold below 0 it would be another function. */
function activationOf(tensors: Tensors, features: number, name: string, k: number | null): ActivationFunction {
  const threshold = 'activation_function.threshold';
  if (tensors.has(threshold)) {
    const { shape = [] } = tensors.file.arrays.get(threshold) ?? {};
    const thresholds =
      shape.length === 1 && shape[0] > 1
        ? tensors.thresholds(threshold, features)
        : new Float32Array(features).fill(tensors.number(threshold));
    if (thresholds.some((value) => value < 0)) throw sourceUnsupported(`${tensors.file.path}: a threshold below 0`);
    return { kind: 'jumprelu', thresholds };
  }
  if (name === 'relu') return { kind: 'relu' };
  if (name !== 'topk') throw sourceUnsupported(`A transcoder's activation '${name}'`);
  const chosen = k ?? (tensors.has('k') ? tensors.number('k') : 0);
  if (!(Number.isInteger(chosen) && chosen > 0 && chosen <= features)) {
    throw sourceInvalid(`${tensors.file.path}: TopK with k ${chosen} of ${features} features.`);
  }
  return { kind: 'topk', k: chosen, rectified: false };
}

async function readPlace(
  files: SourceFiles,
  layer: number,
): Promise<DictionaryPlace & { readonly activation: string; readonly k: number | null }> {
  const config = await readOptionalYaml(files.at(configName), configSchema);
  // Without a config.yaml: mwhanna's 14B set, whose place SAELens takes for granted too.
  const [, size] = /qwen3-(\d+(?:\.\d+)?)b/.exec(files.folder) ?? [];
  const modelName = config?.model_name ?? (size === undefined ? null : `Qwen/Qwen3-${size}B`);
  const [input, output] = [config?.feature_input_hook, config?.feature_output_hook].map((hook) => hook ?? null);
  const at = (hook: string | null) => hook && `blocks.${layer}.${hook}`;
  const place =
    config === null && size !== undefined ? [at('mlp.hook_in'), at('mlp.hook_out')] : [at(input), at(output)];
  return {
    modelName,
    hookPoint: place[0],
    hookPointOut: place[1],
    activation: config?.activation ?? 'relu',
    k: config?.k ?? null,
  };
}
