import { join } from 'node:path';
import { z } from 'zod';
import { contentHash } from '../../engine/checkpoint/content-hash.ts';
import { openTensorFile, type TensorFile } from '../../engine/checkpoint/index.ts';
import { createDictionary, type Dictionary } from '../dictionary.ts';
import { readOptionalJson } from '../read-json.ts';
import { asSource, sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { readSaelensConfig, type SaelensConfig, saelensConfigSchema } from './saelens-config.ts';

const configName = 'cfg.json';
const weightsName = 'sae_weights.safetensors';
/** Written beside the weights of unfinished runs, where the factor is not folded in yet. */
const scalerName = 'activation_scaler.json';
const scalerSchema = z.object({ scaling_factor: z.number().positive().finite().nullish() });
const readableTypes: readonly string[] = ['F32', 'F16', 'BF16'];
/** A matrix is held in memory as float32: 4 GiB. */
const maxElements = 2 ** 30;

/**
 * Loads a folder that SAELens wrote (`SAE.save_model`; versions 3 to 6): cfg.json, sae_weights.safetensors with W_enc
 * [d_in, d_sae], W_dec [d_sae, d_in], b_enc, b_dec and, for JumpReLU, threshold, in F32, F16 or BF16. Throws `source_invalid`
 * for files that contradict themselves and `source_unsupported` for what cannot be run exactly.
 */
export async function loadSaelensFolder(folder: string): Promise<Dictionary> {
  const raw = await readOptionalJson(join(folder, configName), saelensConfigSchema);
  if (raw === null) throw sourceInvalid(`${folder} has no ${configName}, so it is no SAELens folder.`);
  const config = readSaelensConfig(raw);
  const scale = await inputScale(folder, config);
  const file = await asSource(() => openTensorFile(join(folder, weightsName)));
  try {
    await refuseOtherArithmetic(file, config);
    const { dIn, dSae } = config;
    return createDictionary({
      dIn,
      features: dSae,
      hookName: config.hookName,
      modelName: config.modelName,
      hash: await asSource(() => contentHash([configName, weightsName].map((name) => join(folder, name)))),
      encoder: await read(file, 'W_enc', [dIn, dSae]),
      decoder: await read(file, 'W_dec', [dSae, dIn]),
      encoderBias: await read(file, 'b_enc', [dSae]),
      decoderBias: await read(file, 'b_dec', [dIn]),
      threshold: config.architecture === 'jumprelu' ? await read(file, 'threshold', [dSae]) : null,
      subtractDecoderBias: config.applyDecoderBiasToInput,
      inputScale: scale,
    });
  } finally {
    await file.close();
  }
}

/** The model that a folder of SAELens says it was trained on; null where it does not. Throws like `loadSaelensFolder`. */
export async function saelensModelName(folder: string): Promise<string | null> {
  const raw = await readOptionalJson(join(folder, configName), saelensConfigSchema);
  return raw === null ? null : readSaelensConfig(raw).modelName;
}

/** 1, or the factor by which inputs were scaled in training (SAELens `fold_activation_norm_scaling_factor`). */
async function inputScale(folder: string, config: SaelensConfig): Promise<number> {
  if (!config.averageNormalised) return 1;
  const scaler = await readOptionalJson(join(folder, scalerName), scalerSchema);
  if (scaler?.scaling_factor) return scaler.scaling_factor;
  throw sourceUnsupported(
    `SAELens normalize_activations 'expected_average_only_in' without its factor (no scaling_factor in ${scalerName})`,
  );
}

/**
 * Tensors that mean other arithmetic than the configuration says. A `scaling_factor` of ones was once written for nothing
 * (SAELens drops it too); any other changes the arithmetic.
 */
async function refuseOtherArithmetic(file: TensorFile, config: SaelensConfig): Promise<void> {
  if (file.tensors.has('scaling_factor')) {
    const factor = await read(file, 'scaling_factor', [config.dSae]);
    if (!factor.every((value) => Math.abs(value - 1) < 1e-5)) {
      throw sourceUnsupported('A dictionary with a fine-tuned scaling_factor');
    }
  }
  for (const [name, what] of [
    ['W_skip', 'A transcoder with a skip connection (W_skip)'],
    ['b_gate', 'A gated dictionary (b_gate)'],
    ['log_threshold', 'A training checkpoint with log_threshold'],
  ] as const) {
    if (file.tensors.has(name)) throw sourceUnsupported(what);
  }
}

/** A whole tensor as float32, its shape checked against the one that the configuration gives it. */
async function read(file: TensorFile, name: string, shape: readonly number[]): Promise<Float32Array> {
  const tensor = file.tensors.get(name);
  if (!tensor) throw sourceInvalid(`${file.path} has no tensor '${name}'.`);
  if (tensor.shape.join() !== shape.join()) {
    throw sourceInvalid(
      `${file.path}: ${name} is [${tensor.shape.join(', ')}], but ${configName} makes it [${shape.join(', ')}].`,
    );
  }
  if (!readableTypes.includes(tensor.dtype)) throw sourceUnsupported(`Tensor type ${tensor.dtype} of ${name}`);
  if (shape.reduce((product, size) => product * size, 1) > maxElements) {
    throw sourceUnsupported(`A matrix of [${shape.join(', ')}] (${name})`);
  }
  const values = await asSource(() => file.readFloat32(name));
  const at = values.findIndex((value) => !Number.isFinite(value));
  // A threshold of infinity is a feature that never fires; everywhere else it would poison the stream.
  if (at >= 0 && !(name === 'threshold' && values.every((value) => !Number.isNaN(value)))) {
    throw sourceInvalid(`${file.path}: ${name} has a value that is not finite, at ${at}.`);
  }
  return values;
}
