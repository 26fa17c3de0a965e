import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses, generationErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import { editSchema } from '../http/steering-schema.ts';
import { modelsOf } from '../http/use-model.ts';
import type { AutoConditional, Services } from '../services.ts';
import { aurocSchema } from './auto-steer.ts';
import { descriptionSchema, modelSchema, nameSchema, toVector, vectorSchema } from './saved-schemas.ts';

const examples = z.array(z.string().min(1).max(4000)).min(6).max(512);

const requestSchema = z
  .strictObject({
    model: modelSchema.nullish(),
    positive: examples.openapi({ description: 'User messages that the edits are for.' }),
    negative: examples.openapi({ description: 'Others; the more alike in all else, the better.' }),
    steering: z.strictObject({ edits: z.array(editSchema).min(1) }).openapi({ description: 'What is done then.' }),
    hook_points: z.array(z.string().min(1)).min(1).max(64).nullish().openapi({
      description: 'Where to look; default: the stream in the middle half of the blocks.',
    }),
    save_as: z.strictObject({ name: nameSchema, description: descriptionSchema }).nullish(),
  })
  .openapi('AutoConditionalRequest');

export const autoConditionalAnswerSchema = z
  .object({
    model: z.string(),
    verdict: z.string(),
    works: z.boolean(),
    steering: z
      .object({ rules: z.array(z.object({ when: z.unknown(), do: z.array(z.unknown()) })) })
      .openapi({ description: 'As the body field `steering`.' }),
    contrast: z.object({
      hook_point: z.string(),
      held_out: aurocSchema,
      bag_of_words: aurocSchema,
      saved: vectorSchema.nullable(),
    }),
    measured: z
      .object({ positive: z.int(), negative: z.int(), hits: z.int(), false_alarms: z.int() })
      .openapi({ description: 'The rule itself, run on the examples that are held out.' }),
  })
  .openapi('AutoConditionalResponse');

const route = createRoute({
  method: 'post',
  path: '/api/v1/auto-conditional',
  operationId: 'autoConditional',
  summary: 'From examples of prompts to a rule that tells them from others, run on held-out ones',
  tags: ['Evaluation'],
  request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
  responses: {
    200: {
      description: 'The rule, and how often it holds.',
      content: { 'application/json': { schema: autoConditionalAnswerSchema } },
    },
    ...errorResponses([...generationErrors, 'cancelled']),
  },
});

/** `POST /api/v1/auto-conditional`. */
export function registerAutoConditional(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const none = { ofModel: null, byDefault: null };
      const { positive, negative, save_as: saveAs } = body;
      const found = await model.autoSteer.findCondition({
        ...{ positive, negative },
        edits: toSteeringRequest(body.steering, none, services.limits.maxEdits)?.edits ?? [],
        hookPoints: body.hook_points ?? null,
        saveAs: saveAs ? { name: saveAs.name, description: saveAs.description ?? '' } : null,
        signal: c.req.raw.signal,
      });
      return c.json(toAnswer(found, model.card.id), 200);
    },
    bodyHook(requestSchema),
  );
}

function toAnswer(found: AutoConditional, model: string): z.infer<typeof autoConditionalAnswerSchema> {
  const { rule, contrast, measured, works, verdict } = found;
  const { positive, negative, hits, falseAlarms } = measured;
  return {
    ...{ model, verdict, works },
    steering: { rules: [{ when: rule.when, do: [...rule.do] }] },
    contrast: {
      hook_point: contrast.hookPoint,
      held_out: contrast.heldOut,
      bag_of_words: contrast.bagOfWords,
      saved: contrast.saved && toVector(contrast.saved),
    },
    measured: { positive, negative, hits, false_alarms: falseAlarms },
  };
}
