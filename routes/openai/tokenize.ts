import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import { toChatPrompt } from '../prompts/chat-prompt.ts';
import { refuseFarTooLong } from '../prompts/least-tokens.ts';
import type { ModelService, Services } from '../services.ts';
import { openAiErrorShape } from './errors.ts';
import { toChatMessages } from './messages.ts';
import { chatMessageSchema, templateVariablesSchema } from './schemas/chat.ts';

const requestSchema = z
  .looseObject({
    model: z.string().min(1).nullish(),
    prompt: z.string().nullish().openapi({ description: 'Text. Exactly one of `prompt` and `messages`.' }),
    messages: z.array(chatMessageSchema).min(1).nullish(),
    add_special_tokens: z.boolean().nullish().openapi({
      description: 'Whether to prepend what the tokenizer itself prepends: default true for text, false for messages.',
    }),
    add_generation_prompt: z.boolean().nullish(),
    continue_final_message: z.boolean().nullish(),
    chat_template_kwargs: templateVariablesSchema,
    return_token_strs: z.boolean().nullish(),
  })
  .openapi('TokenizeRequest');

const responseSchema = z
  .object({
    count: z.int(),
    max_model_len: z.int(),
    tokens: z.array(z.int()),
    token_strs: z.array(z.string()).nullable(),
  })
  .openapi('TokenizeResponse');

const route = createRoute({
  method: 'post',
  path: '/tokenize',
  operationId: 'tokenize',
  summary: 'Text or messages to token ids',
  tags: ['OpenAI'],
  request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
  responses: {
    200: {
      description: 'The tokens, as vLLM gives them.',
      content: { 'application/json': { schema: responseSchema } },
    },
    ...errorResponses(
      [
        ...bodyErrors,
        'unsupported',
        'context_length_exceeded',
        'model_not_found',
        'model_unavailable',
        'profile_not_found',
      ],
      openAiErrorShape,
    ),
  },
});

/** `POST /tokenize`, in vLLM's shape. */
export function registerTokenize(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const tokens = [...(await encode(body, model, c.req.raw.signal))];
      const strings = body.return_token_strs ? tokens.map((id) => model.tokenizer.tokenText(id)) : null;
      return c.json(
        { count: tokens.length, max_model_len: model.card.contextLength, tokens, token_strs: strings },
        200,
      );
    },
    bodyHook(requestSchema),
  );
}

async function encode(
  body: z.infer<typeof requestSchema>,
  model: ModelService,
  signal: AbortSignal,
): Promise<Int32Array> {
  const prompt = body.prompt ?? null;
  const messages = body.messages ?? null;
  if (messages !== null && prompt === null) {
    const addSpecialTokens = body.add_special_tokens ?? false;
    const prompt = await toChatPrompt(model, toChatMessages(messages).messages, { ...body, addSpecialTokens, signal });
    return prompt.tokenIds;
  }
  if (prompt === null || messages !== null) {
    const message = "Give exactly one of 'prompt' and 'messages'.";
    throw new TillerError('invalid_request', message, { param: prompt === null ? 'prompt' : 'messages' });
  }
  refuseFarTooLong(prompt, model, 'prompt');
  return model.encode(prompt, { addSpecialTokens: body.add_special_tokens ?? true, signal });
}
