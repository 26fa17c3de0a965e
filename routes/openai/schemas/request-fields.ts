import { z } from '@hono/zod-openapi';
import { steeringSchema } from '../../http/steering-schema.ts';

/** Most stop strings a request may name. */
export const maxStopStrings = 16;
/** Longest deadline that a request may ask for: a day. */
export const maxTimeoutSeconds = 86_400;
/** Most alternatives that log-probabilities report for a token. */
export const maxTopLogprobs = 20;

const accepted = (what: string) =>
  z
    .unknown()
    .optional()
    .openapi({ description: `${what} Accepted; has no effect here.` });

/** Fields that both generating endpoints take. Null means absent, as OpenAI's clients send it. */
export const generationFields = {
  model: z.string().min(1).nullish().openapi({
    description: '`name` or `name@profile[:version]`; the loaded model where absent.',
    example: 'smollm2-135m-instruct',
  }),
  max_tokens: z.int().min(0).nullish(),
  min_tokens: z
    .int()
    .min(0)
    .nullish()
    .openapi({ description: 'No end token and no stop token before this many tokens.' }),
  temperature: z.number().min(0).max(2).nullish().openapi({ description: 'Default 1; 0 is greedy.' }),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(-1).nullish().openapi({ description: '-1 and 0 switch it off.' }),
  min_p: z.number().min(0).max(1).nullish(),
  n: z.int().min(1).nullish(),
  seed: z.int().nullish().openapi({
    description:
      'Choice j of a prompt is sampled with seed + j. Drawn at random where absent; the answer says which it was.',
  }),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(maxStopStrings)]).nullish(),
  stop_token_ids: z.array(z.int().min(0)).nullish(),
  ignore_eos: z.boolean().nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  skip_special_tokens: z.boolean().nullish().openapi({ description: 'Only true is supported.' }),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
  logit_bias: z.record(z.string(), z.number().min(-100).max(100)).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({
      include_usage: z.boolean().nullish(),
      continuous_usage_stats: z.boolean().nullish().openapi({ description: 'Usage so far in every chunk.' }),
    })
    .nullish(),
  steering: steeringSchema.nullish(),
  timeout_seconds: z.number().gt(0).max(maxTimeoutSeconds).nullish().openapi({
    description:
      'Extension: how long the whole answer may take, waiting included. After that 504 `deadline_exceeded`, in a stream an error event.',
  }),
  user: accepted('End-user id.'),
} as const;

export type GenerationFields = z.infer<z.ZodObject<typeof generationFields>>;

/**
 * Fields that mean something this service does not do. Leaving them out of the answer silently would be worse than refusing,
 * so they are refused by name unless they hold the value that asks for nothing (to-engine.ts `refuseUnsupported`).
 */
export const refusedFields = {
  use_beam_search: refused(),
  allowed_token_ids: refused(),
  bad_words: refused(),
  logits_processors: refused(),
  prompt_logprobs: refused(),
  structured_outputs: refused(),
  guided_json: refused(),
  guided_regex: refused(),
  guided_choice: refused(),
  guided_grammar: refused(),
} as const;

export function refused() {
  return z.unknown().optional().openapi({ description: 'Not supported: refused by name.' });
}

/** Fields of other APIs that change nothing in the text and are taken without a word. */
export const acceptedFields = {
  metadata: accepted('Tags.'),
  store: accepted('Whether to keep the answer.'),
  service_tier: accepted('Tier.'),
  safety_identifier: accepted('End-user id.'),
  prompt_cache_key: accepted('Cache hint.'),
} as const;
