import { TillerError } from '../../engine/core/index.ts';
import { norms } from '../decoder-norms.ts';
import type { DictionaryWeights } from '../dictionary-weights.ts';
import type { SaelensPlace } from './saelens-folder.ts';

/** SAELens' own, which it does not let a configuration say. */
const layerNormEpsilon = 1e-5;

/** How a dictionary is said in SAELens' words. */
export interface SaelensForm {
  /** cfg.json */
  readonly config: Readonly<Record<string, unknown>> & { readonly apply_b_dec_to_input: boolean };
  /** What each feature's sums are multiplied by in the weights, [features]; null: nothing. */
  readonly factors: Float32Array | null;
  /** Tensors besides encoder, decoder and their biases. */
  readonly tensors: Readonly<Record<string, SaelensTensor>>;
}

export interface SaelensTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Throws `source_unsupported` for what SAELens cannot compute. */
export function saelensForm(weights: DictionaryWeights, place: SaelensPlace): SaelensForm {
  const { encoder, decoder, activation, skip, inputBias, decoderBias, inputScale, foldDecoderNorms, kind } = weights;
  const [features, dIn, dOut] = [encoder.features, encoder.width, decoder.width];
  const normalisation = normalisationOf(weights);
  const topK = activation.kind === 'topk' ? { k: activation.k, rescale_acts_by_decoder_norm: foldDecoderNorms } : {};
  // TopK has a word for it; of the others it is multiplied in, thresholds too
  const factors = foldDecoderNorms && activation.kind !== 'topk' ? norms(decoder).all() : null;
  const config = {
    architecture: architectureOf(weights),
    d_in: dIn,
    d_sae: features,
    ...(kind === 'transcoder' ? { d_out: dOut } : {}),
    ...topK,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input:
      kind === 'autoencoder' && inputScale === 1 && inputBias !== null && equal(inputBias, decoderBias),
    normalize_activations: normalisation,
    reshape_activations: place.hookPoint.endsWith('.hook_z') ? 'hook_z' : 'none',
    metadata: {
      model_name: place.modelName,
      hook_name: place.hookPoint,
      ...(place.hookPointOut === null ? {} : { hook_name_out: place.hookPointOut }),
      hook_head_index: null,
      ...(weights.centred ? { model_from_pretrained_kwargs: { center_writing_weights: true } } : {}),
    },
  };
  const tensors: Record<string, SaelensTensor> = {};
  if (activation.kind === 'jumprelu') {
    const values = activation.thresholds.map((value, j) => value * (factors?.[j] ?? 1));
    tensors.threshold = { shape: [features], values };
  }
  if (skip !== null) tensors.W_skip = { shape: [dOut, dIn], values: skip };
  return { config, factors, tensors };
}

function architectureOf({ kind, activation, skip, foldDecoderNorms, inputScale }: DictionaryWeights): string {
  if (activation.kind === 'topk' && !activation.rectified) {
    throw cannotWrite('TopK that leaves sums below 0 as they are');
  }
  if (activation.kind === 'topk' && foldDecoderNorms && inputScale !== 1) {
    throw cannotWrite('TopK that counts in decoder norms and scales its input');
  }
  if (activation.kind === 'groupmax') throw cannotWrite('GroupMax');
  if (kind === 'autoencoder') {
    if (skip !== null) throw cannotWrite('an autoencoder with a skip connection');
    return activation.kind === 'relu' ? 'standard' : activation.kind;
  }
  if (activation.kind === 'topk') throw cannotWrite('a TopK transcoder');
  const skips = skip === null ? '' : 'skip_';
  return `${activation.kind === 'jumprelu' ? 'jumprelu_' : ''}${skips}transcoder`;
}

function normalisationOf({ normalisation, undoNormalisation, kind }: DictionaryWeights): string {
  if (normalisation.kind === 'none') return 'none';
  if (undoNormalisation !== (kind === 'autoencoder')) {
    throw cannotWrite('an output that keeps the normalisation of its input');
  }
  if (normalisation.kind === 'norm') return 'constant_norm_rescale';
  if (normalisation.epsilon === layerNormEpsilon) return 'layer_norm';
  throw cannotWrite(`a layer norm with an epsilon of ${normalisation.epsilon}`);
}

function equal(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function cannotWrite(what: string): TillerError {
  return new TillerError(
    'source_unsupported',
    `SAELens does not have ${what}: the dictionary cannot be written for it.`,
  );
}
