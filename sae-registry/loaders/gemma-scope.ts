import { openNpz } from '../arrays/npz-arrays.ts';
import { type DictionaryPlace, plainDictionary } from '../dictionary-weights.ts';
import { type FeatureVectors, scaledVectors } from '../feature-vectors.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import { Tensors } from './tensors.ts';

const weightsName = 'params.npz';
const hooks: Readonly<Record<string, string>> = { res: 'hook_resid_post', mlp: 'hook_mlp_out', att: 'attn.hook_z' };

/**
 * Gemma Scope (of Gemma 2): params.npz with W_enc [d_in, features], W_dec [features, d_out], b_enc, b_dec, threshold; JumpReLU, nothing
 * taken off the input. The files do not say where they belong: the release's folders do, `gemma-scope-2b-pt-res/layer_12/width_16k/…`.
 */
export const gemmaScope: DictionaryLoader = {
  format: 'Gemma Scope',
  recognises: (files) => (files.file ?? weightsName) === weightsName && files.has(weightsName),
  modelName: async (files) => placeOf(files.folder).modelName,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const tensors = new Tensors(await openNpz(files.at(weightsName)), 'W_enc', residency);
    const lower = tensors.has('w_enc');
    const [encoder, decoder] = lower ? ['w_enc', 'w_dec'] : ['W_enc', 'W_dec'];
    const [dIn, features] = tensors.matrixShape(encoder);
    const place = placeOf(files.folder);
    const transcoder = place.hookPoint !== place.hookPointOut;
    const [, dOut] = transcoder ? tensors.matrixShape(decoder) : [features, dIn];
    // The embedding's dictionary was trained on inputs scaled by √d_model: SAELens unfolds it from both matrices, and not from b_dec.
    const scale = place.hookPoint === 'hook_embed' ? Math.sqrt(dIn) : 1;
    const times = (vectors: FeatureVectors, factor: number) =>
      factor === 1 ? vectors : scaledVectors(vectors, new Float32Array(features).fill(factor));
    return {
      ...plainDictionary,
      kind: transcoder ? 'transcoder' : 'autoencoder',
      ...place,
      hash: await filesHash([files.at(weightsName)]),
      encoder: times(await tensors.columns(encoder, dIn, features), 1 / scale),
      decoder: times(await tensors.rows(decoder, features, dOut), scale),
      encoderBias: tensors.array('b_enc', [features]),
      decoderBias: tensors.array('b_dec', [dOut]),
      activation: { kind: 'jumprelu', thresholds: tensors.thresholds('threshold', features) },
      foldDecoderNorms,
    };
  },
};

function placeOf(folder: string): DictionaryPlace {
  const [, size, variant, site] = /gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att|transcoders)/.exec(folder) ?? [];
  const layer = /layer_(\d+)/.exec(folder)?.[1];
  const modelName = size === undefined ? null : `google/gemma-2-${size}${variant === 'it' ? '-it' : ''}`;
  if (site === 'res' && /\/embedding(\/|$)/.test(folder)) {
    return { modelName, hookPoint: 'hook_embed', hookPointOut: 'hook_embed' };
  }
  if (site === undefined || layer === undefined) return { modelName, hookPoint: null, hookPointOut: null };
  const at = (hook: string) => `blocks.${layer}.${hook}`;
  if (site !== 'transcoders') return { modelName, hookPoint: at(hooks[site]), hookPointOut: at(hooks[site]) };
  return { modelName, hookPoint: at('ln2.hook_normalized'), hookPointOut: at('hook_mlp_out') };
}
