import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses, generationErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { AutoSteer, Services } from '../services.ts';
import {
  doseFields,
  dosePointSchema,
  doseResponseSchema,
  steeredTextSchema,
  toDosePoint,
  toDoseResponse,
  toLimits,
  toSteeredText,
} from './evaluation-schemas.ts';
import { descriptionSchema, nameSchema, toVector, vectorSchema } from './saved-schemas.ts';
import { textRequestFields, toSampling } from './text-request.ts';

const text = z.string().min(1).max(4000);
const strengths = z.array(z.number()).min(1).max(16);

const requestSchema = z
  .strictObject({
    model: textRequestFields.model,
    specification: z.string().min(1).max(1000).openapi({ example: 'talk like a pirate' }),
    pairs: z
      .array(z.strictObject({ prompt: text, positive: text, negative: text }))
      .min(4)
      .max(256)
      .nullish()
      .openapi({
        description:
          'Replies as they are wanted and as they are not. Without them the model writes both, asked for it by a system prompt and not asked: a small model writes poor ones.',
      }),
    questions: z.array(text).min(4).max(256).nullish().openapi({
      description: 'What the model is asked for its replies; default: 24 everyday questions.',
    }),
    prompts: z.array(text).min(1).max(64).nullish().openapi({
      description: 'What a steering is tried on; default: 6 other everyday questions.',
    }),
    seeds: textRequestFields.seeds.default([0, 1]),
    max_tokens: z.int().min(4).max(512).default(40),
    temperature: textRequestFields.temperature,
    top_p: textRequestFields.top_p,
    repetition_penalty: textRequestFields.repetition_penalty,
    words: z.array(z.string().min(1).max(200)).min(1).max(256).nullish().openapi({
      description: 'Words that say whether it worked, a second target beside the direction that is found.',
    }),
    limits: doseFields.limits,
    features: z
      .int()
      .min(0)
      .max(16)
      .default(2)
      .openapi({ description: 'How many features are tried beside the vector.' }),
    vector_strengths: strengths.default([0.1, 0.2, 0.3, 0.45, 0.7]).openapi({
      description: 'In median stream norms; in lengths of the vector where nobody measured those.',
    }),
    feature_strengths: strengths.default([0.5, 1, 1.5, 2.5]).openapi({ description: 'In maximal activations.' }),
    save_as: z.strictObject({ name: nameSchema, description: descriptionSchema }).nullish().openapi({
      description: "Saves the contrast's vector, whether it works or not.",
    }),
    include_texts: z.boolean().default(true),
  })
  .openapi('AutoSteerRequest');

export const aurocSchema = z.object({ auroc: z.number(), low: z.number(), high: z.number() });

export const autoSteerAnswerSchema = z
  .object({
    model: z.string(),
    specification: z.string(),
    verdict: z.string().openapi({ description: 'What came of it, in a sentence or two.' }),
    chosen: z
      .object({
        candidate: z.string(),
        strength: z.number(),
        steering: z.object({ edits: z.array(z.unknown()) }).openapi({ description: 'As the body field `steering`.' }),
        dose: dosePointSchema,
      })
      .nullable()
      .openapi({ description: 'Null: nothing worked.' }),
    prompted: dosePointSchema.extend({ samples: z.array(steeredTextSchema).optional() }).openapi({
      description: 'The same prompts answered with a system prompt that asks for it, and no steering.',
    }),
    pairs: z.object({
      by: z.enum(['model', 'request']),
      count: z.int(),
      examples: z.array(z.object({ prompt: z.string(), positive: z.string(), negative: z.string() })),
    }),
    contrast: z.object({
      hook_point: z.string(),
      held_out: aurocSchema,
      bag_of_words: aurocSchema,
      saved: vectorSchema.nullable(),
    }),
    candidates: z
      .array(
        z.object({
          kind: z.enum(['vector', 'feature']),
          name: z.string(),
          label: z.string().nullable(),
          input_score: z.number().nullable().openapi({ description: 'Held-out AUROC of reading it.' }),
          output_score: z.number().openapi({
            description: 'How much likelier, in nats a token, it makes wanted replies against the others.',
          }),
          evaluation: doseResponseSchema.nullable().openapi({ description: 'Null: others were tried before it.' }),
        }),
      )
      .openapi({ description: 'Best output score first.' }),
  })
  .openapi('AutoSteerResponse');

const route = createRoute({
  method: 'post',
  path: '/api/v1/auto-steer',
  operationId: 'autoSteer',
  summary: 'Look for a steering that does what a description says, and measure what it does',
  tags: ['Evaluation'],
  request: { body: { required: true, content: { 'application/json': { schema: requestSchema } } } },
  responses: {
    200: {
      description: 'What was tried, what each did and cost, and what to steer by.',
      content: { 'application/json': { schema: autoSteerAnswerSchema } },
    },
    ...errorResponses([...generationErrors, 'source_invalid', 'cancelled']),
  },
});

/** `POST /api/v1/auto-steer`. */
export function registerAutoSteer(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(requestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const { specification, seeds, features, save_as: saveAs } = body;
      const found = await model.autoSteer.find({
        ...{ specification, seeds, features },
        pairs: body.pairs ?? null,
        questions: body.questions ?? null,
        prompts: body.prompts ?? null,
        words: body.words ?? null,
        sampling: toSampling(body),
        limits: toLimits(body.limits),
        vectorStrengths: body.vector_strengths,
        featureStrengths: body.feature_strengths,
        saveAs: saveAs ? { name: saveAs.name, description: saveAs.description ?? '' } : null,
        signal: c.req.raw.signal,
      });
      return c.json(toAnswer(found, model.card.id, specification, body.include_texts), 200);
    },
    bodyHook(requestSchema),
  );
}

function toAnswer(
  found: AutoSteer,
  model: string,
  specification: string,
  includeTexts: boolean,
): z.infer<typeof autoSteerAnswerSchema> {
  const { targets, chosen, prompted, contrast, pairs, verdict } = found;
  return {
    ...{ model, specification, verdict },
    chosen: chosen && {
      candidate: chosen.candidate,
      strength: chosen.strength,
      steering: { edits: [...chosen.edits] },
      dose: toDosePoint(chosen.dose, targets),
    },
    prompted: {
      ...toDosePoint(prompted, targets),
      ...(includeTexts ? { samples: prompted.samples.map(toSteeredText) } : {}),
    },
    pairs: { ...pairs, examples: pairs.examples.map((example) => ({ ...example })) },
    contrast: {
      hook_point: contrast.hookPoint,
      held_out: contrast.heldOut,
      bag_of_words: contrast.bagOfWords,
      saved: contrast.saved && toVector(contrast.saved),
    },
    candidates: found.candidates.map(({ kind, name, label, inputScore, outputScore, evaluation }) => ({
      ...{ kind, name, label },
      input_score: inputScore,
      output_score: outputScore,
      evaluation: evaluation && toDoseResponse(evaluation, { model }, targets, includeTexts),
    })),
  };
}
