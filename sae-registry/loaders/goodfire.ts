import { openTorch } from '../arrays/torch-arrays.ts';
import { type DictionaryPlace, plainDictionary } from '../dictionary-weights.ts';
import { sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import { Tensors } from './tensors.ts';

const fileName = /\.pth?$/;
/** What Goodfire (and the DeepSeek R1 dictionaries made in its manner) call the two layers. */
const names = [
  ['encoder_linear', 'decoder_linear'],
  ['encoder', 'decoder'],
] as const;

/**
 * Goodfire's dictionaries: one .pth or .pt of two linear layers, encoder_linear.weight [features, d] and decoder_linear.weight [d, features]
 * with their biases; ReLU, nothing taken off the input. The file's name says model and layer: `Llama-3.1-8B-Instruct-SAE-l19.pth`.
 */
export const goodfire: DictionaryLoader = {
  format: 'Goodfire',
  recognises: (files) => files.theOne(fileName) !== null,
  modelName: async (files) => placeOf(files.theOne(fileName) ?? '').modelName,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const name = files.theOne(fileName) ?? '';
    const file = await openTorch(files.at(name));
    const found = names.find(([encoder]) => file.arrays.has(`${encoder}.weight`));
    if (found === undefined) {
      const list = [...file.arrays.keys()].slice(0, 8).join(', ');
      throw sourceUnsupported(`${files.at(name)}: a file of torch with the tensors ${list || '(none)'}`);
    }
    const [encoder, decoder] = found;
    const tensors = new Tensors(file, `${encoder}.weight`, residency);
    const [features, width] = tensors.matrixShape(`${encoder}.weight`);
    return {
      ...plainDictionary,
      ...placeOf(name),
      hash: await filesHash([files.at(name)]),
      encoder: await tensors.rows(`${encoder}.weight`, features, width),
      decoder: await tensors.columns(`${decoder}.weight`, width, features),
      encoderBias: tensors.array(`${encoder}.bias`, [features]),
      decoderBias: tensors.array(`${decoder}.bias`, [width]),
      foldDecoderNorms,
    };
  },
};

function placeOf(name: string): DictionaryPlace {
  const [, model, layer] = /^(.+)-SAE-l(\d+)\.pth?$/.exec(name) ?? [];
  const hookPoint = layer === undefined ? null : `blocks.${layer}.hook_resid_post`;
  return { modelName: model ?? null, hookPoint, hookPointOut: hookPoint };
}
