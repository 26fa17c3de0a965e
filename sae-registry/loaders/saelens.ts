import { z } from 'zod';
import { openSafetensors } from '../arrays/safetensors-arrays.ts';
import { norms } from '../decoder-norms.ts';
import { type DictionaryWeights, plainDictionary } from '../dictionary-weights.ts';
import type { FeatureVectors } from '../feature-vectors.ts';
import { gatedAsJumpReLU } from '../gated.ts';
import { readOptionalJson } from '../read-json.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { filesHash } from './files-hash.ts';
import type { DictionaryLoader, LoadOptions } from './loader.ts';
import { readSaelensConfig, type SaelensConfig, saelensConfigSchema } from './saelens-config.ts';
import type { SourceFiles } from './source-files.ts';
import { Tensors } from './tensors.ts';

const configName = 'cfg.json';
const weightsName = 'sae_weights.safetensors';
/** Written beside the weights of unfinished runs, where the factor is not folded in yet. */
const scalerName = 'activation_scaler.json';
const scalerSchema = z.object({ scaling_factor: z.number().positive().finite().nullish() });

/**
 * A folder that SAELens wrote (`SAE.save_model`; versions 3 to 6): cfg.json, sae_weights.safetensors with W_enc [d_in, d_sae], W_dec
 * [d_sae, d_out], b_dec and what the architecture has beside them. The features' encoder vectors lie as columns.
 */
export const saelens: DictionaryLoader = {
  format: 'SAELens',
  recognises: (files) => files.file === null && files.has(configName) && files.has(weightsName),
  modelName: async (files) => (await readConfig(files)).modelName,
  async load(files, { foldDecoderNorms = false, maxResidentMatrixBytes, madeWith }) {
    const config = await readConfig(files, madeWith);
    const inputScale = await scaleOf(files, config);
    const tensors = new Tensors(await openSafetensors(files.at(weightsName)), configName, maxResidentMatrixBytes);
    refuseOtherArithmetic(tensors, config);
    const { dIn, dOut, dSae } = config;
    const encoder = await tensors.columns('W_enc', dIn, dSae);
    const decoder = await tensors.rows('W_dec', dSae, dOut);
    const decoderBias = tensors.array('b_dec', [dOut]);
    if (foldDecoderNorms && config.encoding === 'topk' && !config.rescaledByDecoderNorm) {
      throw sourceUnsupported('Folding the decoder norms of a TopK dictionary, which changes what it selects');
    }
    return {
      ...plainDictionary,
      kind: config.transcoder ? 'transcoder' : 'autoencoder',
      modelName: config.modelName,
      hookPoint: config.hookPoint,
      hookPointOut: config.hookPointOut,
      hash: await filesHash([configName, weightsName].map(files.at)),
      decoder,
      decoderBias,
      ...encoding(tensors, config, encoder, decoder),
      inputBias: config.applyDecoderBiasToInput ? decoderBias : null,
      normalisation: config.normalisation,
      centred: config.centred,
      undoNormalisation: !config.transcoder,
      inputScale,
      skip: config.skip ? tensors.array('W_skip', [dOut, dIn]) : null,
      foldDecoderNorms: foldDecoderNorms || config.rescaledByDecoderNorm,
    };
  },
};

async function readConfig(files: SourceFiles, madeWith: LoadOptions['madeWith'] = {}): Promise<SaelensConfig> {
  const raw = await files.json(configName, saelensConfigSchema);
  const { center_writing_weights, normalize_activations = raw.normalize_activations } = madeWith;
  if (center_writing_weights === undefined) return readSaelensConfig({ ...raw, normalize_activations });
  const model_from_pretrained_kwargs = { center_writing_weights };
  return readSaelensConfig({
    ...raw,
    normalize_activations,
    model_from_pretrained_kwargs,
    metadata: raw.metadata && { ...raw.metadata, model_from_pretrained_kwargs },
  });
}

function encoding(
  tensors: Tensors,
  { encoding: kind, dSae, k, rescaledByDecoderNorm }: SaelensConfig,
  encoder: FeatureVectors,
  decoder: FeatureVectors,
): Pick<DictionaryWeights, 'encoder' | 'encoderBias' | 'activation'> {
  if (kind === 'gated') {
    const [gateBias, magnitudeBias, logMagnitude] = ['b_gate', 'b_mag', 'r_mag'].map((name) =>
      tensors.array(name, [dSae]),
    );
    return gatedAsJumpReLU({ encoder, gateBias, magnitudeBias, logMagnitude });
  }
  const encoderBias = tensors.array('b_enc', [dSae]);
  if (kind === 'standard') return { encoder, encoderBias, activation: { kind: 'relu' } };
  if (kind === 'topk') return { encoder, encoderBias, activation: { kind: 'topk', k, rectified: true } };
  return { encoder, encoderBias, activation: { kind: 'jumprelu', thresholds: thresholds() } };

  function thresholds(): Float32Array {
    if (kind === 'batchtopk') {
      // A checkpoint of training: one threshold, compared after the fold of the decoder norms where there is one.
      const one = tensors.number('topk_threshold');
      return rescaledByDecoderNorm
        ? norms(decoder)
            .all()
            .map((norm) => one / norm)
        : new Float32Array(dSae).fill(one);
    }
    if (tensors.has('log_threshold')) return tensors.array('log_threshold', [dSae]).map(Math.exp);
    return tensors.thresholds('threshold', dSae);
  }
}

/** 1, or the factor by which inputs were scaled in training (SAELens `fold_activation_norm_scaling_factor`). */
async function scaleOf(files: SourceFiles, config: SaelensConfig): Promise<number> {
  if (!config.averageNormalised) return 1;
  const scaler = await readOptionalJson(files.at(scalerName), scalerSchema);
  if (scaler?.scaling_factor) return scaler.scaling_factor;
  throw sourceUnsupported(
    `SAELens normalize_activations 'expected_average_only_in' without its factor (no scaling_factor in ${scalerName})`,
  );
}

/**
 * Tensors that mean other arithmetic than the configuration says. A `scaling_factor` of ones was once written for nothing
 * (SAELens drops it too); any other changes the arithmetic.
 */
function refuseOtherArithmetic(tensors: Tensors, config: SaelensConfig): void {
  if (tensors.has('scaling_factor')) {
    const factor = tensors.array('scaling_factor', [config.dSae]);
    if (!factor.every((value) => Math.abs(value - 1) < 1e-5)) {
      throw sourceUnsupported('A dictionary with a fine-tuned scaling_factor');
    }
  }
  const claimed = {
    W_skip: config.skip,
    b_gate: config.encoding === 'gated',
    topk_threshold: config.encoding === 'batchtopk',
  };
  for (const [name, expected] of Object.entries(claimed)) {
    if (!expected && tensors.has(name)) {
      throw sourceInvalid(`${tensors.file.path} has ${name}, which the architecture in ${configName} has no use for.`);
    }
  }
  const trained = tensors.has('threshold') || tensors.has('log_threshold');
  if (trained && config.encoding !== 'jumprelu') {
    throw sourceInvalid(`${tensors.file.path} has thresholds, but the architecture in ${configName} has none.`);
  }
}
