import { createRoute, z } from '@hono/zod-openapi';
import { acceptedType, jsonType, safetensorsType } from '../http/accept.ts';
import { bodyErrors, errorResponses, readingErrors, steeringErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { safetensorsResponse } from '../http/safetensors.ts';
import type { Services, WrittenDirection } from '../services.ts';
import { chosenMask } from './chosen-positions.ts';
import { toTokenIds } from './chosen-tokens.ts';
import { toLens, toPosition, toThrough } from './logits-answer.ts';
import { directionRequests, lensPlaces, refuseLarge } from './logits-request.ts';
import { type LogitsAnswer, logitsAnswerSchema, logitsRequestSchema } from './logits-schemas.ts';
import { logitsTensors } from './logits-tensors.ts';
import { inputPositions } from './reading-inputs.ts';
import { describeTokens } from './reading-tokens.ts';
import { inTurn, steeredInputs } from './steered-inputs.ts';

/** Tokens of all inputs together. */
const mostTokens = 65_536;
/** Inputs that are with the engine at once. */
const together = 4;

const route = createRoute({
  method: 'post',
  path: '/api/v1/logits',
  operationId: 'readLogits',
  summary: 'Next-token logits, the logit lens, and what directions write to the logits',
  tags: ['Logits'],
  request: { body: { required: true, content: { 'application/json': { schema: logitsRequestSchema } } } },
  responses: {
    200: {
      description: 'For each input its tokens and what was asked for at each position.',
      content: {
        [jsonType]: { schema: logitsAnswerSchema },
        [safetensorsType]: { schema: z.string().openapi({ format: 'binary' }) },
      },
    },
    ...errorResponses([...bodyErrors, ...readingErrors, ...steeringErrors, 'answer_too_large', 'not_acceptable']),
  },
});

/** `POST /api/v1/logits`. */
export function registerLogits(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(logitsRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const type = acceptedType(c, [jsonType, safetensorsType]);
      const { model, inputs, steering } = await steeredInputs(c, services, body, {
        mostTokens,
        addGenerationPrompt: true,
      });
      const { tokenizer } = model;
      const chosen = toTokenIds(body.tokens, tokenizer, 'tokens');
      const lens = lensPlaces(body, model.card);
      const directions = model.logits.directions(directionRequests(body));
      const masks = inputs.map((input) => chosenMask(body.positions, input));
      refuseLarge(body, model, { masks, lens, directions }, type);
      const { signal } = c.req.raw;
      const edits = steering?.edits ?? [];
      const readings = await inTurn(inputs, together, (input, index) =>
        model.logits.read({
          tokenIds: input.tokenIds,
          positionContext: inputPositions(input, model, edits),
          edits,
          logits: { mask: masks[index] as Uint8Array, top: body.top, tokenIds: chosen },
          lens,
          directions,
          signal,
        }),
      );
      const report = steering?.report(
        readings.map((reading) => reading.edits),
        [],
      );
      if (type === safetensorsType) {
        const metadata = {
          model: model.card.id,
          token_ids: chosen.join(','),
          // of where tokens stand there is nothing to warn of: that is not in it
          ...(c.get('warnings').length > 0 ? { warnings: JSON.stringify(c.get('warnings')) } : {}),
          ...(report ? { steering: JSON.stringify(report) } : {}),
        };
        return safetensorsResponse(c, logitsTensors(inputs, readings), metadata);
      }
      const described = inputs.map((input) => describeTokens(input, tokenizer));
      const warnings = [...c.get('warnings'), ...described.flatMap(({ warning }) => warning ?? [])];
      const answer: LogitsAnswer = {
        model: model.card.id,
        inputs: readings.map((reading, index) => ({
          tokens: described[index]?.tokens ?? [],
          positions: reading.positions.map((row) => toPosition(row, chosen, tokenizer)),
          ...(body.lens ? { lens: toLens(reading.lens, chosen, tokenizer) } : {}),
          ...(body.through
            ? {
                through: reading.directions.map((found, k) =>
                  toThrough(directions[k] as WrittenDirection, found, tokenizer),
                ),
              }
            : {}),
        })),
        ...(report ? { steering: report } : {}),
        ...(warnings.length > 0 ? { warnings } : {}),
      };
      return c.json(answer, 200);
    },
    bodyHook(logitsRequestSchema),
  );
}
