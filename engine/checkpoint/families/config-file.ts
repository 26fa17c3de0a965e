import type { z } from 'zod';
import { TillerError } from '../../core/index.ts';
import { schemaIssues } from '../schema-issues.ts';

/** Keys that every configuration may have and that do not change what the model computes: transformers' PretrainedConfig, and tools' notes. */
const harmlessEverywhere = new Set([
  ...['model_type', 'architectures', 'transformers_version', 'torch_dtype', 'dtype', 'use_cache', 'pretraining_tp'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'cls_token_id', 'decoder_start_token_id'],
  ...['initializer_range', 'attention_dropout', 'hidden_dropout', 'classifier_dropout', 'problem_type', 'num_labels'],
  ...['id2label', 'label2id', 'return_dict', 'output_attentions', 'output_hidden_states', 'torchscript', 'is_decoder'],
  ...['use_bfloat16', 'tf_legacy_loss', 'pruned_heads', 'chunk_size_feed_forward', 'finetuning_task', 'prefix'],
  ...['task_specific_params', 'tokenizer_class', 'max_length', 'min_length', 'do_sample', 'early_stopping'],
  ...['num_beams', 'num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p', 'typical_p'],
  ...['repetition_penalty', 'length_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size'],
  ...['bad_words_ids', 'num_return_sequences', 'output_scores', 'return_dict_in_generate', 'forced_bos_token_id'],
  ...['forced_eos_token_id', 'remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens'],
  ...['begin_suppress_tokens', 'cache_implementation', 'gradient_checkpointing', 'attn_implementation', 'name_or_path'],
  ...['unsloth_fixed', 'unsloth_version', 'transformers.js_config', 'is_llama_config', 'tie_encoder_decoder'],
  ...['output_past', 'max_sequence_length'],
]);

/** Features that no family here has: harmless with exactly these values. */
const onlyEverywhere: Readonly<Record<string, readonly unknown[]>> = {
  is_encoder_decoder: [false],
  add_cross_attention: [false],
  rope_interleaved: [false],
  num_local_experts: [0, 1],
  num_experts: [0, 1],
  embedding_multiplier: [1],
  residual_multiplier: [1],
  attention_multiplier: [],
  logits_scaling: [1],
  quantization_config: [],
};

/** What a family does with the keys that its schema does not name. Null always means "not used". */
export interface OtherKeys {
  readonly harmless?: readonly string[];
  /** Features that this version would get wrong: key → the values that do not use them. */
  readonly only?: Readonly<Record<string, readonly unknown[]>>;
}

/** A config.json while a family reads it: every key is read, known to be harmless, or refused. */
export class ConfigFile {
  readonly path: string;
  readonly json: Readonly<Record<string, unknown>>;

  constructor(path: string, json: Readonly<Record<string, unknown>>) {
    this.path = path;
    this.json = json;
  }

  /** The value of the keys that the schema names. Throws `checkpoint_invalid` for malformed ones, `checkpoint_unsupported` for unknown ones. */
  read<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>, others: OtherKeys = {}): z.output<z.ZodObject<Shape>> {
    const parsed = schema.safeParse(this.json);
    if (!parsed.success) {
      throw new TillerError('checkpoint_invalid', `${this.path}: ${schemaIssues(parsed.error)}`);
    }
    const harmless = new Set(others.harmless);
    const only = { ...onlyEverywhere, ...others.only };
    for (const [key, value] of Object.entries(this.json)) {
      // What begins with an underscore is transformers' own bookkeeping.
      if (Object.hasOwn(schema.shape, key) || value === null || value === undefined || key.startsWith('_')) continue;
      if (Object.hasOwn(only, key) ? only[key].includes(value) : harmless.has(key) || harmlessEverywhere.has(key))
        continue;
      throw this.unsupported(`${key} ${JSON.stringify(value).slice(0, 80)}`);
    }
    return parsed.data;
  }

  /** A feature that is asked for and not there. */
  unsupported(what: string): TillerError {
    const message = `${this.path}: ${what} is not supported yet, and ignoring it would change the model.`;
    return new TillerError('checkpoint_unsupported', message);
  }

  /** The first of the words that are understood, or a refusal that names key and word. */
  oneOf<Value>(key: string, word: string, understood: Readonly<Record<string, Value>>): Value {
    if (Object.hasOwn(understood, word)) return understood[word];
    throw this.unsupported(`${key} '${word}'`);
  }
}
