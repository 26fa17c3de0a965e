import { openTorch } from '../arrays/torch-arrays.ts';
import { plainDictionary } from '../dictionary-weights.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import type { SourceFiles } from './source-files.ts';
import { Tensors } from './tensors.ts';

const fileName = /^layer(\d+)\.sae\.pt$/;

/**
 * Qwen Scope: one layer{n}.sae.pt of the stream after layer n, with W_enc [features, d], W_dec [d, features], b_enc, b_dec; the k largest
 * sums of a token as they are (SAELens makes those below 0 to 0), nothing taken off the input. Model and k stand in the release's folder:
 * `SAE-Res-Qwen3-1.7B-Base-W32K-L0_50`.
 */
export const qwenScope: DictionaryLoader = {
  format: 'Qwen Scope',
  recognises: (files) => files.theOne(fileName) !== null,
  modelName: async (files) => release(files).modelName,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const name = files.theOne(fileName) ?? '';
    const { modelName, k } = release(files);
    if (foldDecoderNorms)
      throw sourceUnsupported('Folding the decoder norms of a TopK dictionary, which changes what it selects');
    const tensors = new Tensors(await openTorch(files.at(name)), 'W_enc', residency);
    const [features, width] = tensors.matrixShape('W_enc');
    if (!(k > 0 && k <= features))
      throw sourceInvalid(`${files.path}: its folder says k ${k} of ${features} features.`);
    const hookPoint = `blocks.${fileName.exec(name)?.[1]}.hook_resid_post`;
    return {
      ...plainDictionary,
      modelName,
      hookPoint,
      hookPointOut: hookPoint,
      hash: await filesHash([files.at(name)]),
      encoder: await tensors.rows('W_enc', features, width),
      decoder: await tensors.columns('W_dec', width, features),
      encoderBias: tensors.array('b_enc', [features]),
      decoderBias: tensors.array('b_dec', [width]),
      activation: { kind: 'topk', k, rectified: false },
    };
  },
};

function release(files: SourceFiles): { readonly modelName: string; readonly k: number } {
  const [, model, k] = /SAE-Res-([\w.-]+?)-W\d+K-L0_(\d+)/.exec(files.folder) ?? [];
  if (model !== undefined) return { modelName: `Qwen/${model}`, k: Number(k) };
  throw sourceInvalid(
    `${files.path} has no k: it is in the name of Qwen Scope's folder, as in SAE-Res-Qwen3-1.7B-Base-W32K-L0_50. Keep it.`,
  );
}
