import { z } from '@hono/zod-openapi';
import { answerExtras, answerHeadFields, finishReasonSchema, stopReasonSchema, usageSchema } from './common.ts';
import { acceptedFields, generationFields, maxTopLogprobs, refused, refusedFields } from './request-fields.ts';

const tokenIds = z.array(z.int().min(0)).min(1);

export const completionRequestSchema = z
  .looseObject({
    ...generationFields,
    prompt: z.union([z.string(), z.array(z.string()).min(1), tokenIds, z.array(tokenIds).min(1)]).openapi({
      description:
        'Text, texts, token ids or lists of token ids. Choice j of prompt i is choice i·n + j. Nothing is prepended to ids.',
    }),
    max_tokens: z.int().min(0).nullish().openapi({ description: 'Default 16.' }),
    logprobs: z.int().min(0).max(maxTopLogprobs).nullish().openapi({
      description: 'Alternatives to report for each token; 0 gives the chosen token only.',
    }),
    echo: z.boolean().nullish().openapi({ description: 'Give the prompt back in front, with its log-probabilities.' }),
    ...acceptedFields,
    ...refusedFields,
    best_of: z.int().min(1).nullish().openapi({ description: 'Only as `n` says; otherwise refused.' }),
    suffix: refused(),
    response_format: refused(),
    prompt_embeds: refused(),
  })
  .openapi('CompletionRequest');

export type CompletionRequest = z.infer<typeof completionRequestSchema>;

export const completionLogprobsSchema = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  text_offset: z
    .array(z.int())
    .openapi({ description: 'Where each token begins in the text, in Unicode code points.' }),
});

export type CompletionLogprobs = z.infer<typeof completionLogprobsSchema>;

const choice = { index: z.int(), text: z.string(), logprobs: completionLogprobsSchema.nullable() };
const head = answerHeadFields('text_completion');

export const completionSchema = z
  .object({
    ...head,
    choices: z.array(z.object({ ...choice, finish_reason: finishReasonSchema, stop_reason: stopReasonSchema })),
    usage: usageSchema,
    ...answerExtras,
  })
  .openapi('Completion');

export type Completion = z.infer<typeof completionSchema>;

export const completionChunkSchema = z
  .object({
    ...head,
    choices: z.array(
      z.object({ ...choice, finish_reason: finishReasonSchema.nullable(), stop_reason: stopReasonSchema.optional() }),
    ),
    usage: usageSchema.nullable().optional(),
    ...answerExtras,
  })
  .openapi('CompletionChunk');

export type CompletionChunk = z.infer<typeof completionChunkSchema>;
