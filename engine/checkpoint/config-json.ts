import { z } from 'zod';
import { type ModelConfig, TillerError } from '../core/index.ts';
import { type ModelSizes, modelConfig } from './model-sizes.ts';

const number = z.number();
const optional = number.nullish();
const tokenIds = z.union([number, z.array(number)]).nullish();

/** transformers writes `rope_parameters` from version 5 on, `rope_theta` and `rope_scaling` before. */
const ropeSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: optional,
});

const llamaSchema = z.looseObject({
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  num_key_value_heads: optional,
  head_dim: optional,
  intermediate_size: number,
  vocab_size: number,
  max_position_embeddings: number,
  rms_norm_eps: number.default(1e-6),
  rope_theta: optional,
  rope_parameters: ropeSchema.nullish(),
  rope_scaling: ropeSchema.nullish(),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  eos_token_id: tokenIds,
});

const generationSchema = z.looseObject({ eos_token_id: tokenIds });

/** Features of a configuration that this version would get wrong: key, and the values that mean "not used". */
const neutralValues: Readonly<Record<string, readonly unknown[]>> = {
  attention_bias: [false],
  mlp_bias: [false],
  sliding_window: [],
  use_sliding_window: [false],
  partial_rotary_factor: [1],
  quantization_config: [],
  num_local_experts: [0, 1],
  attn_logit_softcapping: [],
  final_logit_softcapping: [],
  embedding_multiplier: [1],
  residual_multiplier: [1],
  logits_scaling: [1],
};

/** A configuration from Hugging Face's config.json and, where there is one, generation_config.json. */
export function configFromJson(
  path: string,
  configJson: unknown,
  generationJson: unknown,
  tokens: { readonly bosTokenId: number | null; readonly eosTokenIds: readonly number[] },
): ModelConfig {
  const type = z.looseObject({ model_type: z.string() }).safeParse(configJson);
  if (!type.success) throw new TillerError('checkpoint_invalid', `${path} does not say its model_type.`);
  if (type.data.model_type !== 'llama') {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path} describes a model of type '${type.data.model_type}'. This version runs: llama.`,
    );
  }
  const parsed = llamaSchema.safeParse(configJson);
  if (!parsed.success) throw new TillerError('checkpoint_invalid', `${path}: ${z.prettifyError(parsed.error)}`);
  const json = parsed.data;
  refuseFeatures(path, json);
  const generation = generationSchema.safeParse(generationJson ?? {});
  if (!generation.success) {
    throw new TillerError('checkpoint_invalid', `generation_config.json: ${z.prettifyError(generation.error)}`);
  }
  return modelConfig(path, {
    ...sizes(json),
    bosTokenId: tokens.bosTokenId,
    eosTokenIds: [...list(generation.data.eos_token_id), ...list(json.eos_token_id), ...tokens.eosTokenIds],
  });
}

function sizes(json: z.infer<typeof llamaSchema>): Omit<ModelSizes, 'bosTokenId' | 'eosTokenIds'> {
  return {
    dModel: json.hidden_size,
    blocks: json.num_hidden_layers,
    heads: json.num_attention_heads,
    keyValueHeads: json.num_key_value_heads ?? json.num_attention_heads,
    headDim: json.head_dim ?? json.hidden_size / json.num_attention_heads,
    mlpWidth: json.intermediate_size,
    vocabularySize: json.vocab_size,
    contextLength: json.max_position_embeddings,
    normEpsilon: json.rms_norm_eps,
    ropeBase: json.rope_parameters?.rope_theta ?? json.rope_theta ?? 10_000,
    tiedEmbeddings: json.tie_word_embeddings,
  };
}

function refuseFeatures(path: string, json: z.infer<typeof llamaSchema>): void {
  const unsupported = (what: string) =>
    new TillerError(
      'checkpoint_unsupported',
      `${path}: ${what} is not supported yet, and ignoring it would change the model.`,
    );
  for (const [key, neutral] of Object.entries(neutralValues)) {
    const value = json[key];
    if (value !== undefined && value !== null && !neutral.includes(value)) {
      throw unsupported(`${key} ${JSON.stringify(value)}`);
    }
  }
  for (const rope of [json.rope_parameters, json.rope_scaling]) {
    const kind = rope?.rope_type ?? rope?.type ?? 'default';
    if (kind !== 'default') throw unsupported(`rotary scaling of type '${kind}'`);
    const extra = Object.keys(rope ?? {}).find((key) => !['rope_type', 'type', 'rope_theta'].includes(key));
    if (extra !== undefined) throw unsupported(`rotary parameter ${extra}`);
  }
  if (json.hidden_act !== 'silu' && json.hidden_act !== 'swish') throw unsupported(`hidden_act '${json.hidden_act}'`);
}

function list(ids: number | readonly number[] | null | undefined): readonly number[] {
  if (ids === null || ids === undefined) return [];
  return typeof ids === 'number' ? [ids] : ids;
}
