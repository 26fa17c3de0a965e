import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { steeringModes, steeringUnits, TillerError } from '../../engine/core/index.ts';
import { errorResponses, generationErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { AppEnv, Router } from '../http/router.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import { namedPositions, rangeSchema, steeringSchema } from '../http/steering-schema.ts';
import { modelsOf } from '../http/use-model.ts';
import type { EditRequest, ModelService, Services } from '../services.ts';
import { doseFields, doseResponseSchema, toDoseResponse, toLimits } from './evaluation-schemas.ts';
import { generationPrompts } from './generation-prompts.ts';
import { referenceParams } from './saved-schemas.ts';
import { toSampling, toTargets } from './text-request.ts';

const doseSchema = z.strictObject(doseFields);
type DoseBody = z.infer<typeof doseSchema>;

const steeringEvaluationSchema = doseSchema
  .extend({
    steering: steeringSchema.openapi({
      description: 'Edits at strength 1; a profile has frozen numbers and is refused.',
    }),
  })
  .openapi('SteeringEvaluationRequest');

const vectorEvaluationSchema = doseSchema
  .extend({
    mode: z.enum(steeringModes).default('add'),
    unit: z.enum(steeringUnits).nullish().openapi({ description: 'Default `stream_norm`.' }),
    positions: z.union([z.enum(namedPositions), rangeSchema]).default('all_but_first'),
    skip: z.array(z.literal('special')).nullish(),
  })
  .openapi('VectorEvaluationRequest');

const answers = {
  200: {
    description: 'The control, every strength, and the strongest that stays fluent.',
    content: { 'application/json': { schema: doseResponseSchema } },
  },
  ...errorResponses([...generationErrors, 'cancelled']),
};

const steeringRoute = createRoute({
  method: 'post',
  path: '/api/v1/steering/evaluate',
  operationId: 'evaluateSteering',
  summary: 'Dose–response of edits: effect on targets, fluency and relative dose at each strength',
  tags: ['Evaluation'],
  request: { body: { required: true, content: { 'application/json': { schema: steeringEvaluationSchema } } } },
  responses: answers,
});

const vectorRoute = createRoute({
  method: 'post',
  path: '/api/v1/vectors/{name}/evaluate',
  operationId: 'evaluateVector',
  summary: 'Dose–response of a saved vector: effect on targets, fluency and relative dose at each strength',
  tags: ['Vectors'],
  request: {
    params: referenceParams,
    body: { required: true, content: { 'application/json': { schema: vectorEvaluationSchema } } },
  },
  responses: answers,
});

/** `POST /api/v1/steering/evaluate` and `POST /api/v1/vectors/{name}/evaluate`. */
export function registerEvaluation(app: Router, services: Services): void {
  app.on('POST', steeringRoute.getRoutingPath(), jsonBody(steeringEvaluationSchema, services));
  app.openapi(
    steeringRoute,
    async (c) => {
      const body = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      if (body.steering.profile !== undefined && body.steering.profile !== null) {
        const message = "A profile's numbers are frozen, so no strength can multiply them: send its edits.";
        throw new TillerError('invalid_request', message, { param: 'steering.profile' });
      }
      if (body.steering.rules !== undefined && body.steering.rules !== null) {
        const message = 'Rules have no number that a strength could multiply: send edits alone.';
        throw new TillerError('unsupported', message, { param: 'steering.rules' });
      }
      const none = { ofModel: null, byDefault: null };
      const edits = toSteeringRequest(body.steering, none, services.limits.maxEdits)?.edits ?? [];
      return c.json(await evaluate(c, model, edits, body), 200);
    },
    bodyHook(steeringEvaluationSchema),
  );
  app.on('POST', vectorRoute.getRoutingPath(), jsonBody(vectorEvaluationSchema, services));
  app.openapi(
    vectorRoute,
    async (c) => {
      const body = c.req.valid('json');
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const { name, version } = services.vectors.get(model.card.id, c.req.valid('param').name);
      const vector = `${name}:${version}`;
      const edit: EditRequest = {
        vector,
        mode: body.mode,
        number: body.mode === 'ablate' ? null : 1,
        unit: body.unit ?? null,
        positions: body.positions,
        skipSpecial: (body.skip ?? []).length > 0,
        onlyIfActive: false,
        param: 'name',
      };
      return c.json(await evaluate(c, model, [edit], body, vector), 200);
    },
    bodyHook(vectorEvaluationSchema),
  );
}

async function evaluate(
  c: Context<AppEnv>,
  model: ModelService,
  edits: readonly EditRequest[],
  body: DoseBody,
  vector?: string,
): Promise<z.infer<typeof doseResponseSchema>> {
  const { signal } = c.req.raw;
  const targets = toTargets(body.targets);
  const { strengths, seeds, refine, limits } = body;
  const evaluation = await model.evaluation.doseResponse({
    prompts: await generationPrompts(model, body.prompts, signal),
    sampling: toSampling(body),
    limits: toLimits(limits),
    ...{ edits, targets, strengths, seeds, refine, signal },
  });
  const named = { model: model.card.id, ...(vector === undefined ? {} : { vector }) };
  return toDoseResponse(evaluation, named, targets, body.include_texts);
}
