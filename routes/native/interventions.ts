import { createRoute, z } from '@hono/zod-openapi';
import { finishReasons, TillerError } from '../../engine/core/index.ts';
import { errorResponses, readingErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { AppliedIntervention, InterventionRun, ModelService, Services } from '../services.ts';
import { namedTokens } from './intervention-places.ts';
import { tokenSchema } from './intervention-schemas.ts';
import { interventionsRequestSchema } from './interventions-request.ts';
import { toReadingInputs } from './reading-inputs.ts';
import { toInterventions } from './to-interventions.ts';

const runSchema = z
  .object({
    top: z
      .array(tokenSchema.extend({ logit: z.number(), logprob: z.number() }))
      .openapi({ description: 'The likeliest tokens after the prompt.' }),
    tokens: z
      .array(tokenSchema.extend({ logit: z.number(), logprob: z.number() }))
      .openapi({ description: 'The tokens that were asked for.' }),
    text: z.string().openapi({ description: 'The reply; empty where none was asked for.' }),
    completion_tokens: z.int(),
    finish_reason: z.enum(finishReasons).nullable(),
  })
  .openapi('InterventionRun');

const responseSchema = z
  .object({
    model: z.string(),
    prompt_tokens: z.array(tokenSchema),
    baseline: runSchema,
    intervened: runSchema,
    effects: z
      .array(tokenSchema.extend({ logit: z.number() }))
      .openapi({ description: 'Of the tokens asked for: the logit with the interventions less the one without.' }),
    interventions: z.array(
      z.object({
        kind: z.enum(['patch', 'zero', 'mean', 'splice']),
        hook_point: z.string(),
        positions: z.array(z.int()).openapi({ description: 'Prompt positions at which values were replaced.' }),
        sink_positions: z.array(z.int()).openapi({
          description: 'Named and left alone: attention sinks, of which a dictionary says nothing.',
        }),
        generated: z
          .boolean()
          .openapi({ description: 'Whether values were replaced at every position after the prompt.' }),
        relative_change: z.number().nullable().openapi({
          description: 'Mean of ‖replacement − value‖ / ‖value‖ over these prompt positions.',
        }),
      }),
    ),
  })
  .openapi('InterventionsResponse');

const route = createRoute({
  method: 'post',
  path: '/api/v1/interventions',
  operationId: 'intervene',
  summary: 'Run a prompt as it is, and with activations patched, ablated or reconstructed',
  tags: ['Interventions'],
  request: { body: { required: true, content: { 'application/json': { schema: interventionsRequestSchema } } } },
  responses: {
    200: { description: 'Both runs.', content: { 'application/json': { schema: responseSchema } } },
    ...errorResponses([...readingErrors, 'hook_point_not_found', 'edit_not_applicable', 'edits_conflict']),
  },
});

/** `POST /api/v1/interventions`. */
export function registerInterventions(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(interventionsRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const { model: name = null, interventions, tokens: named, top, max_tokens, ...input } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(name);
      const { signal } = c.req.raw;
      const mostTokens = model.card.contextLength;
      const [prompt] = await toReadingInputs(model, input, { signal, mostTokens, addGenerationPrompt: true });
      if (!prompt) throw new TillerError('internal', 'a prompt was not read');
      const { tokenIds } = prompt;
      refuseTooLong(max_tokens, services.limits.maxReplyTokens);
      const tokens = await namedTokens(model, named, (index) => `tokens[${index}]`, signal);
      const wanted = await toInterventions(model, interventions, tokenIds.length, signal);
      const request = { tokenIds, interventions: wanted, tokens, maxTokens: max_tokens, signal };
      const { baseline, intervened, applied } = await model.interventions.intervene(request);
      const effect = (at: number) => (intervened.logits.values[at] as number) - (baseline.logits.values[at] as number);
      return c.json(
        {
          model: model.card.id,
          prompt_tokens: namedAs(model, tokenIds),
          baseline: runOf(model, baseline, tokens, top),
          intervened: runOf(model, intervened, tokens, top),
          effects: namedAs(model, tokens).map((token, at) => ({ ...token, logit: effect(at) })),
          interventions: interventions.map(({ kind }, at) => ({ kind, ...appliedOf(applied[at]) })),
        },
        200,
      );
    },
    bodyHook(interventionsRequestSchema),
  );
}

function refuseTooLong(maxTokens: number, limit: number | null): void {
  if (limit === null || maxTokens <= limit) return;
  throw new TillerError('invalid_request', `A reply may have ${limit} tokens here, not ${maxTokens}.`, {
    param: 'max_tokens',
  });
}

function namedAs({ tokenizer }: ModelService, ids: Int32Array) {
  return Array.from(ids, (id) => ({ id, token: tokenizer.tokenText(id) }));
}

function runOf(
  model: ModelService,
  { logits, text, completionTokens, finishReason }: InterventionRun,
  tokens: Int32Array,
  top: number,
): z.infer<typeof runSchema> {
  const { values, logSumExp, topValues, topTokenIds } = logits;
  const told = (ids: Int32Array, of: Float32Array) =>
    namedAs(model, ids).map((token, at) => {
      const logit = of[at] as number;
      return { ...token, logit, logprob: logit - logSumExp };
    });
  return {
    top: told(topTokenIds.slice(0, top), topValues),
    tokens: told(tokens, values),
    text,
    completion_tokens: completionTokens,
    finish_reason: finishReason,
  };
}

function appliedOf(applied: AppliedIntervention | undefined) {
  if (!applied) throw new TillerError('internal', 'an intervention was not made');
  const { hookPoint, positions, sinkPositions, generated, relativeChange } = applied;
  return {
    hook_point: hookPoint,
    positions: [...positions],
    sink_positions: [...sinkPositions],
    generated,
    relative_change: relativeChange,
  };
}
