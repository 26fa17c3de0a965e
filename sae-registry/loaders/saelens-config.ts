import { z } from 'zod';
import { sourceUnsupported } from '../source-error.ts';

const names = { hook_name: z.string().optional(), model_name: z.string().nullish() };

/**
 * `cfg.json` of SAELens. Version 6 keeps what belongs to the model in `metadata`; versions 3 to 5 are flat and have older
 * spellings (sae_lens/loading/pretrained_sae_loaders.py, `handle_pre_6_0_config`). Unknown fields do not change the arithmetic.
 */
export const saelensConfigSchema = z.object({
  architecture: z.string().default('standard'),
  d_in: z
    .int()
    .positive()
    .max(2 ** 20),
  d_sae: z
    .int()
    .positive()
    .max(2 ** 26),
  d_out: z.int().positive().nullish(),
  apply_b_dec_to_input: z.boolean().default(true),
  normalize_activations: z.union([z.boolean(), z.string()]).nullish(),
  reshape_activations: z.string().nullish(),
  metadata: z.object({ ...names, hook_head_index: z.int().nullish() }).optional(),
  ...names,
  hook_point: z.string().optional(),
  hook_head_index: z.int().nullish(),
  hook_point_head_index: z.int().nullish(),
  activation_fn: z.string().nullish(),
  activation_fn_str: z.string().nullish(),
  finetuning_scaling_factor: z.boolean().nullish(),
});

type RawConfig = z.infer<typeof saelensConfigSchema>;

/** A dictionary's configuration, whatever version wrote it. */
export interface SaelensConfig {
  readonly architecture: 'standard' | 'jumprelu';
  readonly dIn: number;
  readonly dSae: number;
  readonly hookName: string | null;
  readonly modelName: string | null;
  readonly applyDecoderBiasToInput: boolean;
  /** Inputs were scaled to a mean norm in training, by a factor that has to be folded into the weights. */
  readonly averageNormalised: boolean;
  /** Activations are multiplied by a tuned `scaling_factor` before decoding. */
  readonly tunedScaling: boolean;
}

/** Brings a configuration to one form; throws `source_unsupported` naming what this version cannot run exactly. */
export function readSaelensConfig(raw: RawConfig): SaelensConfig {
  const activation = raw.activation_fn ?? raw.activation_fn_str ?? 'relu';
  const architecture = activation === 'topk' ? 'topk' : raw.architecture;
  if (architecture !== 'standard' && architecture !== 'jumprelu') {
    throw sourceUnsupported(`SAELens architecture '${architecture}'`);
  }
  if (activation !== 'relu') throw sourceUnsupported(`SAELens activation function '${activation}'`);
  if (raw.d_out !== undefined && raw.d_out !== null && raw.d_out !== raw.d_in) {
    throw sourceUnsupported('A transcoder (d_out beside d_in)');
  }
  const hookName = raw.metadata?.hook_name ?? raw.hook_name ?? raw.hook_point ?? null;
  const head = raw.metadata?.hook_head_index ?? raw.hook_head_index ?? raw.hook_point_head_index ?? null;
  if (head !== null) throw sourceUnsupported('A dictionary of one attention head (hook_head_index)');
  const reshape = raw.reshape_activations ?? (hookName?.includes('hook_z') ? 'hook_z' : 'none');
  if (reshape !== 'none') throw sourceUnsupported(`SAELens reshape_activations '${reshape}'`);
  const normalisation = normalisationOf(raw.normalize_activations);
  if (normalisation !== 'none' && normalisation !== 'expected_average_only_in') {
    throw sourceUnsupported(`SAELens normalize_activations '${normalisation}'`);
  }
  return {
    architecture,
    dIn: raw.d_in,
    dSae: raw.d_sae,
    hookName,
    modelName: raw.metadata?.model_name ?? raw.model_name ?? null,
    applyDecoderBiasToInput: raw.apply_b_dec_to_input,
    averageNormalised: normalisation !== 'none',
    tunedScaling: raw.finetuning_scaling_factor ?? false,
  };
}

function normalisationOf(value: RawConfig['normalize_activations']): string {
  if (value === true) return 'expected_average_only_in';
  return value === false || value === undefined || value === null ? 'none' : value;
}
