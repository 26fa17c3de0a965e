import { z } from 'zod';
import type { DictionaryPlace, InputNormalisation } from '../dictionary-weights.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';

const name = z.string().nullish();
const places = { hook_name: name, hook_name_out: name, model_name: name };
const k = z.int().positive().nullish();
/** What TransformerLens was told to do to the model; `fold_ln` and the like change no hook point that a dictionary is at. */
const model_from_pretrained_kwargs = z.object({ center_writing_weights: z.boolean().nullish() }).nullish();

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
  k,
  rescale_acts_by_decoder_norm: z.boolean().nullish(),
  apply_b_dec_to_input: z.boolean().default(true),
  normalize_activations: z.union([z.boolean(), z.string()]).nullish(),
  reshape_activations: z.string().nullish(),
  metadata: z.object({ ...places, hook_head_index: z.int().nullish(), model_from_pretrained_kwargs }).optional(),
  model_from_pretrained_kwargs,
  ...places,
  hook_point: name,
  hook_head_index: z.int().nullish(),
  hook_point_head_index: z.int().nullish(),
  activation_fn: name,
  activation_fn_str: name,
  activation_fn_kwargs: z.object({ k }).nullish(),
});

type RawConfig = z.infer<typeof saelensConfigSchema>;

/** Architectures that are read; the words of SAELens' registry. */
const architectures = {
  standard: { transcoder: false, skip: false },
  jumprelu: { transcoder: false, skip: false },
  topk: { transcoder: false, skip: false },
  batchtopk: { transcoder: false, skip: false },
  gated: { transcoder: false, skip: false },
  transcoder: { transcoder: true, skip: false },
  skip_transcoder: { transcoder: true, skip: true },
  jumprelu_transcoder: { transcoder: true, skip: false },
  jumprelu_skip_transcoder: { transcoder: true, skip: true },
} as const;

/** A dictionary's configuration, whatever version wrote it. */
export interface SaelensConfig extends DictionaryPlace {
  readonly encoding: 'standard' | 'jumprelu' | 'topk' | 'batchtopk' | 'gated';
  readonly transcoder: boolean;
  readonly skip: boolean;
  readonly dIn: number;
  readonly dOut: number;
  readonly dSae: number;
  /** Of TopK; 0 of the others. */
  readonly k: number;
  readonly rescaledByDecoderNorm: boolean;
  readonly applyDecoderBiasToInput: boolean;
  readonly normalisation: InputNormalisation;
  /** Made on a stream to which every writer's weights were centred: the model's own has a mean that the dictionary has not seen. */
  readonly centred: boolean;
  /** Inputs were scaled to a mean norm in training, by a factor that has to be folded into the weights. */
  readonly averageNormalised: boolean;
}

/** Brings a configuration to one form; throws `source_unsupported` naming what this version cannot run exactly. */
export function readSaelensConfig(raw: RawConfig): SaelensConfig {
  const activation = raw.activation_fn ?? raw.activation_fn_str ?? 'relu';
  const architecture = activation === 'topk' && raw.architecture === 'standard' ? 'topk' : raw.architecture;
  if (!isArchitecture(architecture)) throw sourceUnsupported(`SAELens architecture '${architecture}'`);
  if (activation !== 'relu' && !(architecture === 'topk' && activation === 'topk')) {
    throw sourceUnsupported(`SAELens activation function '${activation}'`);
  }
  const { transcoder, skip } = architectures[architecture];
  const hookPoint = raw.metadata?.hook_name ?? raw.hook_name ?? raw.hook_point ?? null;
  refuseHeadsAndShapes(raw, hookPoint);
  const topK = raw.k ?? raw.activation_fn_kwargs?.k ?? null;
  if (architecture === 'topk' && (topK === null || topK > raw.d_sae)) {
    throw sourceInvalid(`cfg.json says architecture topk with k ${topK ?? 'missing'}; it has to be at most d_sae.`);
  }
  if (!transcoder && raw.d_out && raw.d_out !== raw.d_in) {
    throw sourceInvalid(
      `cfg.json says d_out ${raw.d_out} beside d_in ${raw.d_in}, but '${architecture}' is no transcoder.`,
    );
  }
  return {
    encoding: transcoder ? (architecture.startsWith('jumprelu') ? 'jumprelu' : 'standard') : encodingOf(architecture),
    transcoder,
    skip,
    dIn: raw.d_in,
    dOut: (transcoder ? raw.d_out : null) ?? raw.d_in,
    dSae: raw.d_sae,
    k: architecture === 'topk' ? (topK ?? 0) : 0,
    rescaledByDecoderNorm: raw.rescale_acts_by_decoder_norm ?? false,
    modelName: raw.metadata?.model_name ?? raw.model_name ?? null,
    hookPoint,
    hookPointOut: transcoder ? (raw.metadata?.hook_name_out ?? raw.hook_name_out ?? null) : hookPoint,
    applyDecoderBiasToInput: raw.apply_b_dec_to_input && !transcoder,
    ...normalisationOf(raw.normalize_activations),
    centred: isCentred(raw, hookPoint),
  };
}

/** Of the stream and of what is written to it: values of heads and of norms are the same with centred weights. */
function isCentred(raw: RawConfig, hookPoint: string | null): boolean {
  const model = raw.metadata?.model_from_pretrained_kwargs ?? raw.model_from_pretrained_kwargs;
  return (model?.center_writing_weights ?? false) && /hook_(resid_\w+|embed|mlp_out|attn_out)$/.test(hookPoint ?? '');
}

type Architecture = keyof typeof architectures;

function isArchitecture(name: string): name is Architecture {
  return Object.hasOwn(architectures, name);
}

function encodingOf(architecture: Architecture): SaelensConfig['encoding'] {
  if (architecture === 'jumprelu' || architecture === 'topk') return architecture;
  return architecture === 'gated' || architecture === 'batchtopk' ? architecture : 'standard';
}

/** `hook_z` flattens heads, which is how a token's values lie anyway; one head alone is no hook point. */
function refuseHeadsAndShapes(raw: RawConfig, hookPoint: string | null): void {
  const head = raw.metadata?.hook_head_index ?? raw.hook_head_index ?? raw.hook_point_head_index ?? null;
  if (head !== null) throw sourceUnsupported('A dictionary of one attention head (hook_head_index)');
  const reshape = raw.reshape_activations ?? 'none';
  if (reshape !== 'none' && reshape !== 'hook_z') throw sourceUnsupported(`SAELens reshape_activations '${reshape}'`);
  if (reshape === 'hook_z' && hookPoint !== null && !hookPoint.endsWith('_z')) {
    throw sourceInvalid(`cfg.json says reshape_activations 'hook_z' of ${hookPoint}, which has no heads.`);
  }
}

function normalisationOf(
  value: RawConfig['normalize_activations'],
): Pick<SaelensConfig, 'normalisation' | 'averageNormalised'> {
  const none = { kind: 'none' } as const;
  if (value === true || value === 'expected_average_only_in') return { normalisation: none, averageNormalised: true };
  if (!value || value === 'none') return { normalisation: none, averageNormalised: false };
  if (value === 'constant_norm_rescale') return { normalisation: { kind: 'norm' }, averageNormalised: false };
  if (value === 'layer_norm') {
    return { normalisation: { kind: 'layer-norm', epsilon: 1e-5 }, averageNormalised: false };
  }
  throw sourceUnsupported(`SAELens normalize_activations '${value}' (a whitening that is not folded into the weights)`);
}
