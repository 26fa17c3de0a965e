import { z } from 'zod';
import { statedLayers, windowedLayers } from './attention-layers.ts';
import { ConfigFile } from './config-file.ts';
import type { Family, FamilyConfig } from './family.ts';
import { gemmaConfig, gemmaFields, gemmaNames, gemmaOtherKeys } from './gemma2.ts';
import { ropeSchema, rotaryOf } from './rotary.ts';

/** Rotary parameters as transformers writes them from version 5 on. */
const byKindSchema = z.strictObject({ full_attention: ropeSchema, sliding_attention: ropeSchema });

/** With the defaults of transformers configuration_gemma3.py, which published multimodal configurations leave out. */
const textSchema = z.looseObject({
  ...gemmaFields,
  hidden_size: z.number().default(2304),
  num_hidden_layers: z.number().default(26),
  num_attention_heads: z.number().default(8),
  num_key_value_heads: z.number().default(4),
  intermediate_size: z.number().default(9216),
  vocab_size: z.number().default(262_208),
  max_position_embeddings: z.number().default(131_072),
  head_dim: z.number().default(256),
  sliding_window: z.number().nullable().default(4096),
  sliding_window_pattern: z.int().min(1).nullish(),
  _sliding_window_pattern: z.int().min(1).nullish(),
  rope_local_base_freq: z.number().nullish(),
  rope_parameters: z.union([byKindSchema, ropeSchema]).nullish(),
  attn_logit_softcapping: z.number().nullish(),
  final_logit_softcapping: z.number().nullish(),
});
type TextFields = z.infer<typeof textSchema>;

/** Of a checkpoint that reads images too, whose text part alone is run. */
const multimodalSchema = z.looseObject({
  text_config: z.record(z.string(), z.unknown()),
  tie_word_embeddings: z.boolean().optional(),
});
const imageKeys = [
  'vision_config',
  'boi_token_index',
  'eoi_token_index',
  'image_token_index',
  'image_token_id',
  'mm_tokens_per_image',
];

const bases = { global: 1_000_000, local: 10_000 } as const;
/** Every so many-th block sees everything, unless the configuration says otherwise. */
const defaultPattern = 6;

/**
 * Gemma 3 (Gemma team 2025; transformers modeling_gemma3.py): Gemma 2 without caps, queries and keys normalised, five blocks with a window
 * to one without, and a rotary base of each kind. Of multimodal checkpoints the text part.
 */
export const gemma3: Family = {
  name: 'gemma3',
  modelTypes: ['gemma3', 'gemma3_text'],
  configure(outer) {
    const file = textPart(outer);
    const json = file.read(textSchema, gemmaOtherKeys);
    const { rope_parameters: _, ...fields } = json;
    const config = gemmaConfig(file, 'gemma3', { ...fields, rope_scaling: null });
    const pattern = json.sliding_window_pattern ?? json._sliding_window_pattern ?? defaultPattern;
    const slides =
      statedLayers(file, config.blocks, json.layer_types) ?? ((block: number) => (block + 1) % pattern !== 0);
    return {
      ...config,
      queryKeyNorm: true,
      attention: { ...config.attention, softCap: json.attn_logit_softcapping ?? null },
      rotary: rotaryEmbeddings(file, json),
      layers: windowedLayers(file, config.blocks, json.sliding_window, slides, (sliding) => (sliding ? 1 : 0)),
      finalSoftCap: json.final_logit_softcapping ?? null,
    };
  },
  weights: {
    ...gemmaNames,
    plainName: (name) =>
      name
        .replace(/^(model\.language_model|language_model\.model)\./, 'model.')
        .replace(/^language_model\.lm_head\./, 'lm_head.'),
    unused: [...gemmaNames.unused, /^(model\.)?(vision_tower|multi_modal_projector)\./],
  },
};

function textPart(file: ConfigFile): ConfigFile {
  if (file.json.text_config === undefined) return file;
  const outer = file.read(multimodalSchema, { harmless: imageKeys });
  const { tie_word_embeddings: tied } = outer;
  return new ConfigFile(file.path, {
    ...(tied === undefined ? {} : { tie_word_embeddings: tied }),
    ...outer.text_config,
  });
}

/** That of blocks that see everything, then that of blocks with a window; only the first may be scaled before version 5 of transformers. */
function rotaryEmbeddings(file: ConfigFile, json: TextFields): FamilyConfig['rotary'] {
  const { rope_parameters, rope_theta, rope_scaling, rope_local_base_freq } = json;
  const both = byKindSchema.safeParse(rope_parameters);
  const plain = both.success ? null : ropeSchema.nullish().parse(rope_parameters);
  const global = both.success
    ? { rope_parameters: both.data.full_attention }
    : { rope_theta, rope_scaling, rope_parameters: plain };
  const local = both.success ? { rope_parameters: both.data.sliding_attention } : { rope_theta: rope_local_base_freq };
  return [
    rotaryOf(file, global, { dimensions: json.head_dim, base: bases.global }),
    rotaryOf(file, local, { dimensions: json.head_dim, base: bases.local }),
  ];
}
