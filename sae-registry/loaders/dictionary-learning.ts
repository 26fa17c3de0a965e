import { z } from 'zod';
import { openTorch } from '../arrays/torch-arrays.ts';
import { type DictionaryPlace, type DictionaryWeights, plainDictionary } from '../dictionary-weights.ts';
import { gatedAsJumpReLU } from '../gated.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader } from './loader.ts';
import type { SourceFiles } from './source-files.ts';
import { Tensors } from './tensors.ts';

const configName = 'config.json';
const weightsName = 'ae.pt';
const configSchema = z.object({
  trainer: z.object({
    dict_class: z.string(),
    activation_dim: z.int().positive(),
    dict_size: z.int().positive(),
    layer: z.int().nonnegative().nullish(),
    lm_name: z.string().nullish(),
    submodule_name: z.string().nullish(),
  }),
});
type Trainer = z.infer<typeof configSchema>['trainer'];

/** What differs between the library's classes (dictionary_learning/dictionary.py and trainers/). */
interface ClassLayout {
  /** `linear`: encoder.weight [features, d], decoder.weight [d, features]; `plain`: W_enc [d, features], W_dec [features, d]. */
  readonly layout: 'linear' | 'plain';
  readonly decoderBias: string;
  readonly encoderBias: string | null;
  /** The decoder's bias is taken off the input. */
  readonly subtracted: boolean;
  readonly encoding: 'relu' | 'jumprelu' | 'topk' | 'one-threshold' | 'gated';
  /** `from_pretrained` makes decoder vectors unit vectors and keeps what the dictionary computes. */
  readonly normalised?: boolean;
}

const linear = { layout: 'linear', decoderBias: 'b_dec', encoderBias: 'encoder.bias', subtracted: true } as const;
const plain = { layout: 'plain', decoderBias: 'b_dec', encoderBias: 'b_enc', subtracted: true } as const;
const classes: Readonly<Record<string, ClassLayout>> = {
  AutoEncoder: { ...linear, decoderBias: 'bias', encoding: 'relu', normalised: true },
  AutoEncoderNew: { ...linear, decoderBias: 'decoder.bias', subtracted: false, encoding: 'relu' },
  GatedAutoEncoder: { ...linear, decoderBias: 'decoder_bias', encoderBias: null, encoding: 'gated' },
  JumpReluAutoEncoder: { ...plain, subtracted: false, encoding: 'jumprelu' },
  AutoEncoderTopK: { ...linear, encoding: 'topk' },
  BatchTopKSAE: { ...linear, encoding: 'one-threshold' },
  MatryoshkaBatchTopKSAE: { ...plain, encoding: 'one-threshold' },
};

/**
 * A trainer's folder of dictionary_learning: config.json, whose `dict_class` says which of the library's classes ae.pt is a state dict
 * of. Encodes as the class's own `encode` does: TopK by k, BatchTopK and Matryoshka by the threshold that training left.
 */
export const dictionaryLearning: DictionaryLoader = {
  format: 'dictionary_learning',
  recognises: (files) => (files.file ?? weightsName) === weightsName && files.has(weightsName),
  modelName: async (files) => (await readTrainer(files)).lm_name ?? null,
  async load(files, { foldDecoderNorms = false, ...residency }) {
    const trainer = await readTrainer(files);
    const kind = Object.hasOwn(classes, trainer.dict_class) ? classes[trainer.dict_class] : undefined;
    if (kind === undefined) throw sourceUnsupported(`dictionary_learning class '${trainer.dict_class}'`);
    if (foldDecoderNorms && kind.encoding === 'topk') {
      throw sourceUnsupported('Folding the decoder norms of a TopK dictionary, which changes what it selects');
    }
    const { activation_dim: width, dict_size: features } = trainer;
    const tensors = new Tensors(await openTorch(files.at(weightsName)), configName, residency);
    const decoderBias = tensors.array(kind.decoderBias, [width]);
    const isPlain = kind.layout === 'plain';
    return {
      ...plainDictionary,
      ...placeOf(trainer),
      hash: await filesHash([configName, weightsName].map(files.at)),
      decoder: isPlain
        ? await tensors.rows('W_dec', features, width)
        : await tensors.columns('decoder.weight', width, features),
      decoderBias,
      inputBias: kind.subtracted ? decoderBias : null,
      foldDecoderNorms: foldDecoderNorms || (kind.normalised ?? false),
      ...(await encoding(tensors, kind, width, features)),
    };
  },
};

async function readTrainer(files: SourceFiles): Promise<Trainer> {
  return (await files.json(configName, configSchema)).trainer;
}

async function encoding(
  tensors: Tensors,
  kind: ClassLayout,
  width: number,
  features: number,
): Promise<Pick<DictionaryWeights, 'encoder' | 'encoderBias' | 'activation'>> {
  const encoder = await (kind.layout === 'plain'
    ? tensors.columns('W_enc', width, features)
    : tensors.rows('encoder.weight', features, width));
  if (kind.encoderBias === null) {
    const [gateBias, magnitudeBias, logMagnitude] = ['gate_bias', 'mag_bias', 'r_mag'].map((name) =>
      tensors.array(name, [features]),
    );
    return gatedAsJumpReLU({ encoder, gateBias, magnitudeBias, logMagnitude });
  }
  const encoderBias = tensors.array(kind.encoderBias, [features]);
  if (kind.encoding === 'topk') {
    const k = tensors.number('k');
    if (!(Number.isInteger(k) && k > 0 && k <= features)) throw sourceInvalid(`${tensors.file.path}: k is ${k}.`);
    return { encoder, encoderBias, activation: { kind: 'topk', k, rectified: true } };
  }
  if (kind.encoding === 'relu') return { encoder, encoderBias, activation: { kind: 'relu' } };
  const thresholds =
    kind.encoding === 'jumprelu'
      ? tensors.thresholds('threshold', features)
      : new Float32Array(features).fill(tensors.number('threshold'));
  return { encoder, encoderBias, activation: { kind: 'jumprelu', thresholds } };
}

/** `resid_post_layer_7`, `mlp_layer_7`, `attn_layer_7`; without a name, the stream after the layer. Else the card has to say. */
function placeOf({ layer, lm_name, submodule_name }: Trainer): DictionaryPlace {
  const hooks: Readonly<Record<string, string>> = { mlp: 'hook_mlp_out', attn: 'hook_attn_out' };
  const site = submodule_name ? /^(resid_post|resid_pre|mlp|attn)_layer_\d+$/.exec(submodule_name)?.[1] : 'resid_post';
  const hook = site === undefined ? null : (hooks[site] ?? `hook_${site}`);
  const hookPoint = hook === null || layer === null || layer === undefined ? null : `blocks.${layer}.${hook}`;
  return { modelName: lm_name ?? null, hookPoint, hookPointOut: hookPoint };
}
