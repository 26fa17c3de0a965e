import { createRoute } from '@hono/zod-openapi';
import { resolveHookPoint, TillerError } from '../../engine/core/index.ts';
import { refuseLargeAnswer } from '../http/answer-size.ts';
import { bodyErrors, errorResponses, readingErrors, steeringErrors } from '../http/error-responses.ts';
import { decodeFloat32 } from '../http/float32.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { DirectionRequest, ModelCard, ModelService, Services, WrittenDirection } from '../services.ts';
import { chosenMask, countOf } from './chosen-positions.ts';
import { toTokenIds } from './chosen-tokens.ts';
import { toLens, toPosition, toThrough } from './logits-answer.ts';
import { type LogitsAnswer, type LogitsBody, logitsAnswerSchema, logitsRequestSchema } from './logits-schemas.ts';
import { inputPositions } from './reading-inputs.ts';
import { describeTokens } from './reading-tokens.ts';
import { inTurn, steeredInputs } from './steered-inputs.ts';

/** Tokens of all inputs together. */
const mostTokens = 65_536;
/** Bytes that an answer may have, and those of a token in it and of a token's logit. */
const mostBytes = 32e6;
const tokenBytes = 130;
const logitBytes = 95;
/** Bytes that values of the stream may take while one input is read. */
const mostHeldBytes = 32e6;
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
      content: { 'application/json': { schema: logitsAnswerSchema } },
    },
    ...errorResponses([...bodyErrors, ...readingErrors, ...steeringErrors, 'answer_too_large']),
  },
});

/** `POST /api/v1/logits`. */
export function registerLogits(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(logitsRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { model, inputs, steering } = await steeredInputs(c, services, body, {
        mostTokens,
        addGenerationPrompt: true,
      });
      const { tokenizer } = model;
      const chosen = toTokenIds(body.tokens, tokenizer, 'tokens');
      const lens = lensPlaces(body, model.card);
      const directions = model.logits.directions(directionRequests(body));
      const masks = inputs.map((input) => chosenMask(body.positions, input));
      refuseLarge(body, model, { masks, lens, directions });
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
        ...(steering
          ? {
              steering: steering.report(
                readings.map((reading) => reading.edits),
                [],
              ),
            }
          : {}),
        ...(warnings.length > 0 ? { warnings } : {}),
      };
      return c.json(answer, 200);
    },
    bodyHook(logitsRequestSchema),
  );
}

/** Places of the lens in canonical spelling. Throws `hook_point_not_found`, and `unsupported` for what is not the stream. */
function lensPlaces({ lens }: LogitsBody, card: ModelCard): readonly string[] {
  if (!lens) return [];
  const all = Array.from({ length: card.blocks }, (_, block) => `blocks.${block}.hook_resid_post`);
  const places = lens.hook_points?.map((name, index) => {
    const param = `lens.hook_points[${index}]`;
    const place = resolveHookPoint(name, card, param);
    if (/^(?:hook_embed|blocks\.\d+\.hook_resid_(?:pre|mid|post))$/.test(place)) return place;
    const message = `The lens looks at the stream, and '${name}' is not a place of it: name hook_embed, hook_resid_pre, hook_resid_mid or hook_resid_post.`;
    throw new TillerError('unsupported', message, { param });
  });
  return [...new Set(places ?? all)];
}

function directionRequests({ through = [] }: LogitsBody): readonly DirectionRequest[] {
  return through.map(({ feature, vector, coefficient = null }, index) => {
    const param = `through[${index}]`;
    if ((feature === undefined) === (vector === undefined)) {
      const message = "A direction is exactly one of 'feature' and 'vector'.";
      throw new TillerError('invalid_request', message, { param });
    }
    if (typeof vector !== 'object') return { feature, vector, coefficient, param };
    const data = decodeFloat32(vector.data, `${param}.vector.data`);
    return { vector: { hookPoint: vector.hook_point, data }, coefficient, param };
  });
}

/** Refuses what would be too large an answer, or would hold too much of the stream, before anything is computed. */
function refuseLarge(
  body: LogitsBody,
  model: ModelService,
  sizes: {
    readonly masks: readonly Uint8Array[];
    readonly lens: readonly string[];
    readonly directions: readonly WrittenDirection[];
  },
): void {
  const { masks, lens, directions } = sizes;
  const counts = masks.map(countOf);
  const tokens = masks.reduce((sum, mask) => sum + mask.length, 0);
  const positions = counts.reduce((sum, count) => sum + count, 0);
  const perPlace = (body.top + body.tokens.length + 1) * logitBytes;
  const perDirection = (body.tokens.length + 3) * 25;
  const once = (2 * body.top + body.tokens.length + 2) * logitBytes * directions.length * masks.length;
  const bytes =
    tokens * tokenBytes + positions * ((1 + lens.length) * perPlace + directions.length * perDirection) + once;
  const wayOut = 'choose fewer positions, a smaller top, fewer tokens or places of the lens, or send fewer inputs';
  const param = lens.length > 0 ? 'lens' : 'positions';
  refuseLargeAnswer({ bytes, limit: mostBytes, param, wayOut });
  const held = Math.max(...counts) * model.logits.bytesPerPosition(lens.length + directions.length);
  if (held <= mostHeldBytes) return;
  const inMegabytes = (size: number) => (size / 1e6).toFixed(0);
  const message = `The stream at these places and positions takes ${inMegabytes(held)} MB, and ${inMegabytes(mostHeldBytes)} MB of it may be held for a request: name fewer positions or places at a time.`;
  throw new TillerError('answer_too_large', message, { param: lens.length > 0 ? 'lens' : 'through' });
}
