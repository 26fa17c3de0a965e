import { z } from 'zod';
import { openSafetensors } from '../arrays/safetensors-arrays.ts';
import { type DictionaryPlace, plainDictionary } from '../dictionary-weights.ts';
import { readOptionalJson } from '../read-json.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import type { SourceFiles } from './source-files.ts';
import { Tensors } from './tensors.ts';

const configName = 'config.json';
const weightsName = 'params.safetensors';
const configSchema = z.object({
  architecture: z.string(),
  model_name: z.string().nullish(),
  hf_hook_point_in: z.string().nullish(),
  hf_hook_point_out: z.string().nullish(),
  affine_connection: z.boolean().nullish(),
});

/** Hugging Face's modules of Gemma 3, and the hook points that they are. */
const modules: readonly (readonly [RegExp, string])[] = [
  [/^model\.layers\.(\d+)\.output$/, 'hook_resid_post'],
  [/^model\.layers\.(\d+)\.self_attn\.o_proj\.input$/, 'attn.hook_z'],
  [/^model\.layers\.(\d+)\.post_feedforward_layernorm\.output$/, 'hook_mlp_out'],
  [/^model\.layers\.(\d+)\.pre_feedforward_layernorm\.output$/, 'mlp.hook_in'],
];

/** By the release's folders, where no configuration is beside the weights. */
const folders: readonly (readonly [RegExp, string, string])[] = [
  [/transcoder/, 'mlp.hook_in', 'hook_mlp_out'],
  [/resid_post/, 'hook_resid_post', 'hook_resid_post'],
  [/attn_out/, 'attn.hook_z', 'attn.hook_z'],
  [/mlp_out/, 'hook_mlp_out', 'hook_mlp_out'],
];

/**
 * Gemma Scope 2 (of Gemma 3): params.safetensors with w_enc [d_in, features], w_dec [features, d_out], b_enc, b_dec, threshold and, of
 * transcoders, affine_skip_connection [d_in, d_out]; config.json where there is one, else the release's folders say where it belongs.
 */
export const gemmaScope2: DictionaryLoader = {
  format: 'Gemma Scope 2',
  recognises: (files) => (files.file ?? weightsName) === weightsName && files.has(weightsName),
  modelName: async (files) => (await placeOf(files)).modelName,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const tensors = new Tensors(await openSafetensors(files.at(weightsName)), 'w_enc', residency);
    const [dIn, features] = tensors.matrixShape('w_enc');
    const { affine, ...place } = await placeOf(files);
    const transcoder = place.hookPoint !== place.hookPointOut || tensors.has('affine_skip_connection');
    const [, dOut] = transcoder ? tensors.matrixShape('w_dec') : [features, dIn];
    if (affine && !tensors.has('affine_skip_connection')) {
      throw sourceInvalid(
        `${files.path}: ${configName} says affine_connection, but there is no affine_skip_connection.`,
      );
    }
    return {
      ...plainDictionary,
      kind: transcoder ? 'transcoder' : 'autoencoder',
      ...place,
      hash: await filesHash([...(files.has(configName) ? [configName] : []), weightsName].map(files.at)),
      encoder: await tensors.columns('w_enc', dIn, features),
      decoder: await tensors.rows('w_dec', features, dOut),
      encoderBias: tensors.array('b_enc', [features]),
      decoderBias: tensors.array('b_dec', [dOut]),
      activation: { kind: 'jumprelu', thresholds: tensors.thresholds('threshold', features) },
      skip: tensors.has('affine_skip_connection') ? tensors.turned('affine_skip_connection', dIn, dOut) : null,
      foldDecoderNorms,
    };
  },
};

async function placeOf(files: SourceFiles): Promise<DictionaryPlace & { readonly affine: boolean }> {
  const config = await readOptionalJson(files.at(configName), configSchema);
  if (config !== null && config.architecture !== 'jump_relu') {
    throw sourceUnsupported(`Gemma Scope 2 architecture '${config.architecture}'`);
  }
  const [, release] = /gemma-scope-2-((?:270m|1b|4b|12b|27b)-(?:pt|it))/.exec(files.folder) ?? [];
  const modelName = modelOf(config?.model_name ?? (release === undefined ? null : `gemma-3-${release}`));
  const affine = config?.affine_connection ?? false;
  if (config?.hf_hook_point_in) {
    const hookPoint = moduleHook(config.hf_hook_point_in);
    return {
      modelName,
      affine,
      hookPoint,
      hookPointOut: config.hf_hook_point_out ? moduleHook(config.hf_hook_point_out) : hookPoint,
    };
  }
  const layer = /layer_(\d+)/.exec(files.folder)?.[1];
  const kind = folders.find(([pattern]) => pattern.test(files.folder));
  if (layer === undefined || kind === undefined) return { modelName, affine, hookPoint: null, hookPointOut: null };
  return { modelName, affine, hookPoint: `blocks.${layer}.${kind[1]}`, hookPointOut: `blocks.${layer}.${kind[2]}` };
}

/** Null for a module that is none of the above: the card has to say the hook point then. */
function moduleHook(module: string): string | null {
  for (const [pattern, hook] of modules) {
    const block = pattern.exec(module)?.[1];
    if (block !== undefined) return `blocks.${block}.${hook}`;
  }
  return null;
}

/** The release says `gemma-v3-1b-pt`; and of 270m, the base model's own name has no `-pt`. */
function modelOf(name: string | null): string | null {
  const plain = name?.replace('-v3', '-3') ?? null;
  return plain?.includes('270m') ? plain.replace(/-pt$/, '') : plain;
}
