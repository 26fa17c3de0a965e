import { z } from '@hono/zod-openapi';
import { answerExtras, answerHeadFields, finishReasonSchema, stopReasonSchema, usageSchema } from './common.ts';
import { acceptedFields, generationFields, maxTopLogprobs, refused, refusedFields } from './request-fields.ts';

const contentPart = z.looseObject({
  type: z.string().openapi({ description: 'Only `text`; images and audio are refused.' }),
  text: z.string().optional(),
});

export const chatMessageSchema = z
  .looseObject({
    role: z.string().openapi({ description: '`system`, `user`, `assistant`; `developer` is read as `system`.' }),
    content: z.union([z.string(), z.array(contentPart)]).nullish(),
  })
  .openapi('ChatMessage');

/** Only variables that the template mentions are taken: another would have no effect. */
export const templateVariablesSchema = z.record(z.string(), z.unknown()).nullish().openapi({
  description: 'Variables of the model\'s chat template, as in vLLM: `{"enable_thinking": false}` for Qwen 3.',
});

export const chatRequestSchema = z
  .looseObject({
    ...generationFields,
    messages: z.array(chatMessageSchema).min(1),
    max_tokens: z.int().min(1).nullish().openapi({ description: 'Default: what fits in the context.' }),
    max_completion_tokens: z.int().min(1).nullish().openapi({ description: 'The same under its newer name.' }),
    logprobs: z.boolean().nullish(),
    top_logprobs: z.int().min(0).max(maxTopLogprobs).nullish(),
    add_generation_prompt: z.boolean().nullish().openapi({ description: 'Default true.' }),
    continue_final_message: z.boolean().nullish().openapi({
      description: 'Go on with the last message instead of answering it; needs `add_generation_prompt: false`.',
    }),
    chat_template_kwargs: templateVariablesSchema,
    ...acceptedFields,
    parallel_tool_calls: acceptedFields.metadata,
    ...refusedFields,
    tools: refused(),
    tool_choice: refused(),
    functions: refused(),
    function_call: refused(),
    response_format: refused(),
    audio: refused(),
    modalities: refused(),
    prediction: refused(),
    web_search_options: refused(),
  })
  .openapi('ChatCompletionRequest');

export type ChatRequest = z.infer<typeof chatRequestSchema>;
export type ChatMessageBody = z.infer<typeof chatMessageSchema>;

const tokenLogprob = { token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullable() };

export const chatLogprobsSchema = z.object({
  content: z.array(z.object({ ...tokenLogprob, top_logprobs: z.array(z.object(tokenLogprob)) })),
  refusal: z.null(),
});

export type ChatLogprobs = z.infer<typeof chatLogprobsSchema>;

export const chatCompletionSchema = z
  .object({
    ...answerHeadFields('chat.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: chatLogprobsSchema.nullable(),
        finish_reason: finishReasonSchema,
        stop_reason: stopReasonSchema,
      }),
    ),
    usage: usageSchema,
    ...answerExtras,
  })
  .openapi('ChatCompletion');

export type ChatCompletion = z.infer<typeof chatCompletionSchema>;

export const chatChunkSchema = z
  .object({
    ...answerHeadFields('chat.completion.chunk'),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
        logprobs: chatLogprobsSchema.nullable(),
        finish_reason: finishReasonSchema.nullable(),
        stop_reason: stopReasonSchema.optional(),
      }),
    ),
    usage: usageSchema.nullable().optional(),
    ...answerExtras,
  })
  .openapi('ChatCompletionChunk');

export type ChatChunk = z.infer<typeof chatChunkSchema>;
