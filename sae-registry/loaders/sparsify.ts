import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { openSafetensors } from '../arrays/safetensors-arrays.ts';
import { type ActivationFunction, type DictionaryPlace, plainDictionary } from '../dictionary-weights.ts';
import { readOptionalJson } from '../read-json.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import type { SourceFiles } from './source-files.ts';
import { Tensors } from './tensors.ts';

const configName = 'cfg.json';
const weightsName = 'sae.safetensors';

/** sparsify/config.py; `multi_topk` and what else is for training changes nothing here. */
const configSchema = z.object({
  activation: z.string().default('topk'),
  expansion_factor: z.int().positive().default(32),
  num_latents: z.int().nonnegative().default(0),
  k: z.int().positive().default(32),
  skip_connection: z.boolean().default(false),
  transcode: z.boolean().default(false),
  d_in: z.int().positive(),
});
type Config = z.infer<typeof configSchema>;
/** Beside the folders of a run's hook points. */
const runSchema = z.object({ model: z.string().optional() });

/**
 * A hook point's folder that EleutherAI's sparsify wrote (sparsify/sparse_coder.py, which is right where SAELens' loader of the format
 * differs): cfg.json, sae.safetensors with encoder.weight [latents, d_in], W_dec [latents, d_in] and their biases. The folder's name is
 * the hook point, `layers.5` or `layers.5.mlp`.
 */
export const sparsify: DictionaryLoader = {
  format: 'EleutherAI sparsify',
  recognises: (files) => files.file === null && files.has(configName) && files.has(weightsName),
  modelName,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const config = await files.json(configName, configSchema);
    const features = config.num_latents || config.d_in * config.expansion_factor;
    if (foldDecoderNorms)
      throw sourceUnsupported('Folding the decoder norms of a TopK dictionary, which changes what it selects');
    const tensors = new Tensors(await openSafetensors(files.at(weightsName)), configName, residency);
    if (tensors.has('W_skip') !== config.skip_connection) {
      throw sourceInvalid(`${files.path}: ${configName} and ${weightsName} disagree about a skip connection (W_skip).`);
    }
    const { d_in: width, transcode } = config;
    const decoderBias = tensors.array('b_dec', [width]);
    return {
      ...plainDictionary,
      kind: transcode ? 'transcoder' : 'autoencoder',
      modelName: await modelName(files),
      ...placeOf(basename(files.folder), transcode),
      hash: await filesHash([configName, weightsName].map(files.at)),
      encoder: await tensors.rows('encoder.weight', features, width),
      decoder: await tensors.rows('W_dec', features, width),
      encoderBias: tensors.array('encoder.bias', [features]),
      decoderBias,
      inputBias: transcode ? null : decoderBias,
      activation: activationOf(config, features),
      skip: config.skip_connection ? tensors.array('W_skip', [width, width]) : null,
    };
  },
};

function activationOf({ activation, k }: Config, features: number): ActivationFunction {
  if (activation !== 'topk' && activation !== 'groupmax')
    throw sourceUnsupported(`sparsify activation '${activation}'`);
  if (k > features || (activation === 'groupmax' && features % k !== 0)) {
    throw sourceInvalid(`${configName} says ${activation} with k ${k}, which does not fit ${features} latents.`);
  }
  return activation === 'topk' ? { kind: 'topk', k, rectified: true } : { kind: 'groupmax', groups: k };
}

/** What the module gives out is written; a transcoder of an MLP reads what goes into it. */
function placeOf(folder: string, transcode: boolean): Pick<DictionaryPlace, 'hookPoint' | 'hookPointOut'> {
  if (folder === 'embed_tokens') return { hookPoint: 'hook_embed', hookPointOut: 'hook_embed' };
  const [, block, module] = /^(?:\w+\.)*(?:layers|h)\.(\d+)(\.[\w.]+)?$/.exec(folder) ?? [];
  if (block === undefined) return { hookPoint: null, hookPointOut: null };
  if (!transcode) return { hookPoint: folder, hookPointOut: folder };
  return { hookPoint: module === '.mlp' ? `blocks.${block}.mlp.hook_in` : null, hookPointOut: folder };
}

async function modelName(files: SourceFiles): Promise<string | null> {
  return (await readOptionalJson(join(dirname(files.folder), 'config.json'), runSchema))?.model ?? null;
}
