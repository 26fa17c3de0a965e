import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import { checkTokenIds } from '../prompts/token-ids.ts';
import type { Services } from '../services.ts';
import { openAiErrorShape } from './errors.ts';

const requestSchema = z
  .looseObject({ model: z.string().min(1).nullish(), tokens: z.array(z.int().min(0)) })
  .openapi('DetokenizeRequest');

const route = createRoute({
  method: 'post',
  path: '/detokenize',
  operationId: 'detokenize',
  summary: 'Token ids to text',
  tags: ['OpenAI'],
  request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
  responses: {
    200: {
      description: 'The text, special tokens spelled out, as vLLM gives it.',
      content: { 'application/json': { schema: z.object({ prompt: z.string() }).openapi('DetokenizeResponse') } },
    },
    ...errorResponses([...bodyErrors, 'model_not_found', 'profile_not_found'], openAiErrorShape),
  },
});

/** `POST /detokenize`, in vLLM's shape. */
export function registerDetokenize(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { tokenizer } = (await modelsOf(c, services)(body.model ?? null)).model;
      checkTokenIds(body.tokens, tokenizer.vocabularySize, 'tokens');
      return c.json({ prompt: tokenizer.decode(body.tokens, { skipSpecial: false }) }, 200);
    },
    bodyHook(requestSchema),
  );
}
