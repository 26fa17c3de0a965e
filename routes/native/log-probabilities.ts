import { createRoute } from '@hono/zod-openapi';
import { type EditReport, TillerError } from '../../engine/core/index.ts';
import { refuseLargeAnswer } from '../http/answer-size.ts';
import { bodyErrors, errorResponses, readingErrors, steeringErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { LogitsText, ModelService, Services } from '../services.ts';
import {
  type LogProbabilityAnswer,
  type LogProbabilityBody,
  logProbabilityAnswerSchema,
  logProbabilityRequestSchema,
} from './log-probability-schemas.ts';
import { inputPositions, type ReadingInput } from './reading-inputs.ts';
import { describeTokens } from './reading-tokens.ts';
import { type Predictions, scoreText } from './score-text.ts';
import { inTurn, steeredInputs } from './steered-inputs.ts';

const mostTokens = 65_536;
/** Bytes that an answer may have, since it is written while the event loop stands still; those of a token in it and of each of its alternatives. */
const mostBytes = 8e6;
const tokenBytes = 250;
const alternativeBytes = 75;
/** Bytes that the stream of one text, read twice, may take. */
const mostHeldBytes = 64e6;
const together = 4;

const route = createRoute({
  method: 'post',
  path: '/api/v1/log-probabilities',
  operationId: 'readLogProbabilities',
  summary: 'Log-probabilities of given texts, with and without steering, and the KL divergence between the two',
  tags: ['Logits'],
  request: { body: { required: true, content: { 'application/json': { schema: logProbabilityRequestSchema } } } },
  responses: {
    200: {
      description: 'For each input its sum, perplexity and tokens.',
      content: { 'application/json': { schema: logProbabilityAnswerSchema } },
    },
    ...errorResponses([...bodyErrors, ...readingErrors, ...steeringErrors, 'answer_too_large']),
  },
});

/** `POST /api/v1/log-probabilities`. */
export function registerLogProbabilities(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(logProbabilityRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const { model, inputs, steering } = await steeredInputs(c, services, body, { mostTokens });
      const from = firstCounted(body, inputs);
      const compares = steering !== null && steering.edits.length > 0 && body.compare;
      refuseLarge(body, model, inputs, compares);
      const edits = steering?.edits ?? [];
      const read = await inTurn(inputs, together, (input) => {
        const { tokenIds } = input;
        // the last one predicts what is not there
        const mask = new Uint8Array(tokenIds.length).fill(1, 0, -1);
        const logits = { mask, top: body.top, tokenIds: new Int32Array() };
        const positionContext = inputPositions(input, model, edits);
        return predict(model, { tokenIds, positionContext, edits, logits, signal: c.req.raw.signal }, compares);
      });
      const described = inputs.map((input) => describeTokens(input, model.tokenizer));
      const warnings = [...c.get('warnings'), ...described.flatMap(({ warning }) => warning ?? [])];
      const how = { top: body.top, tokenizer: model.tokenizer };
      const answer: LogProbabilityAnswer = {
        model: model.card.id,
        inputs: read.map((predictions, index) =>
          scoreText(described[index]?.tokens ?? [], predictions, { ...how, from: from[index] as number }),
        ),
        ...(steering
          ? {
              steering: steering.report(
                read.map((one) => one.reports),
                [],
              ),
            }
          : {}),
        ...(warnings.length > 0 ? { warnings } : {}),
      };
      return c.json(answer, 200);
    },
    bodyHook(logProbabilityRequestSchema),
  );
}

async function predict(
  { logits }: ModelService,
  text: LogitsText,
  compares: boolean,
): Promise<Predictions & { readonly reports: readonly EditReport[] }> {
  if (!compares) {
    const { positions, edits } = await logits.read({ ...text, lens: [], directions: [] });
    return { rows: positions, unsteered: null, reports: edits };
  }
  const { steered, unsteered, divergence, edits } = await logits.compare(text);
  return { rows: steered, unsteered: { rows: unsteered, divergence }, reports: edits };
}

/** Where each input begins to count. Throws `invalid_request` for one that has no token from there on. */
function firstCounted({ count_from: given }: LogProbabilityBody, inputs: readonly ReadingInput[]): readonly number[] {
  if (Array.isArray(given) && given.length !== inputs.length) {
    const message = `'count_from' has ${given.length} positions and there are ${inputs.length} inputs: give one for all, or one for each.`;
    throw new TillerError('invalid_request', message, { param: 'count_from' });
  }
  return inputs.map(({ tokenIds, param }, index) => {
    const from = Array.isArray(given) ? (given[index] as number) : given;
    if (from < tokenIds.length) return from;
    const message = `'${param}' has ${tokenIds.length} tokens, so none counts from position ${from} on.`;
    const own = Array.isArray(given) ? `count_from[${index}]` : from === 1 ? param : 'count_from';
    throw new TillerError('invalid_request', message, { param: own });
  });
}

function refuseLarge(
  { top }: LogProbabilityBody,
  model: ModelService,
  inputs: readonly ReadingInput[],
  compares: boolean,
): void {
  const tokens = inputs.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const bytes = tokens * (tokenBytes + top * alternativeBytes);
  const wayOut = 'send fewer inputs or a smaller top';
  refuseLargeAnswer({ bytes, limit: mostBytes, param: inputs.length > 1 ? 'inputs' : 'top', wayOut });
  if (!compares) return;
  for (const { tokenIds, param } of inputs) {
    // both texts' values, and their pairs
    const held = tokenIds.length * model.logits.bytesPerPosition(4);
    if (held <= mostHeldBytes) continue;
    const message = `To compare '${param}' ${(held / 1e6).toFixed(0)} MB of the stream would be held, and ${mostHeldBytes / 1e6} MB may be: shorten it, or send 'compare': false.`;
    throw new TillerError('answer_too_large', message, { param });
  }
}
