import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { inOrder, TillerError } from '../../engine/core/index.ts';
import { acceptedType, jsonType, safetensorsType } from '../http/accept.ts';
import { type ClientPresence, watchClient, whilePresent } from '../http/cancel.ts';
import { errorResponses, readingErrors, steeringErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import { jsonPiecesResponse } from '../http/json-pieces.ts';
import type { AppEnv, Router } from '../http/router.ts';
import { safetensorsResponse } from '../http/safetensors.ts';
import { sseResponse } from '../http/sse.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Inspection, Services } from '../services.ts';
import { type ActivationsAnswer, activationsJson } from './activation-answer.ts';
import {
  type ActivationsRequest,
  activationsEventSchema,
  activationsRequestSchema,
  activationsResponseSchema,
} from './activation-schemas.ts';
import { refuseLargeActivations } from './activation-size.ts';
import { activationEvents, failureEvent } from './activation-stream.ts';
import { activationMetadata, activationTensors } from './activation-tensors.ts';
import { type InspectedRun, inspectRun, steeringOf } from './inspected-run.ts';
import { planReading, type ReadingPlan } from './reading-plan.ts';

const route = createRoute({
  method: 'post',
  path: '/api/v1/activations',
  operationId: 'readActivations',
  summary: 'What features do on texts, and on the replies to them',
  tags: ['Inspection'],
  request: { body: { required: true, content: { 'application/json': { schema: activationsRequestSchema } } } },
  responses: {
    200: {
      description:
        'The features of each token and of each input; as JSON, as tensors where `Accept` asks for them (docs/inspection.md), or with `stream` as events.',
      content: {
        [jsonType]: { schema: activationsResponseSchema },
        [safetensorsType]: { schema: z.string().openapi({ format: 'binary' }) },
        'text/event-stream': { schema: activationsEventSchema },
      },
    },
    ...errorResponses([...readingErrors, ...steeringErrors, 'answer_too_large', 'not_acceptable']),
  },
});

/** `POST /api/v1/activations`. */
export function registerActivations(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(activationsRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const type = body.stream ? acceptedType(c, ['text/event-stream']) : acceptedType(c, [jsonType, safetensorsType]);
      const presence = watchClient(c, () => services.metrics.clientGone(route.path));
      const planned = await whilePresent(presence, plan(c, services, body, type, presence));
      return answer(c, services, planned, type, presence);
    },
    bodyHook(activationsRequestSchema),
  );
}

interface Planned {
  readonly reading: ReadingPlan;
  readonly inspection: Inspection;
}

/** Everything that can be refused is refused here, before anything is read. */
async function plan(
  c: Context<AppEnv>,
  services: Services,
  body: ActivationsRequest,
  type: string,
  presence: ClientPresence,
): Promise<Planned> {
  const { sources = null, features = null } = body;
  if (sources && features) {
    throw new TillerError('invalid_request', "Give either 'sources' or 'features', not both.", { param: 'features' });
  }
  const reading = await planReading(services, modelsOf(c, services), body, presence.signal);
  const inspection = reading.model.inspection({
    sources,
    features,
    part: body.over,
    includeSinks: body.include_sinks,
    perToken: body.top_k_per_token,
    perText: body.top_k_per_text,
    rankBy: body.rank_by,
  });
  if (!body.stream) refuseLargeActivations(reading, inspection, { type, chosen: features !== null });
  return { reading, inspection };
}

async function answer(
  c: Context<AppEnv>,
  services: Services,
  { reading, inspection }: Planned,
  type: string,
  presence: ClientPresence,
): Promise<Response> {
  if (type === 'text/event-stream') {
    return sseResponse(c, {
      events: activationEvents(reading, inspection, presence),
      presence,
      stallMilliseconds: services.limits.streamTimeoutSeconds * 1000,
      renderFailure: failureEvent(services, c, route.path),
    });
  }
  const runs: InspectedRun[] = [];
  try {
    const read = inOrder(reading.requests, { together: reading.together, signal: null }, (_, _left, index) =>
      wholeRun(reading, inspection, index),
    );
    for await (const run of read) runs.push(run);
  } catch (error) {
    presence.complete();
    presence.abort();
    throw error;
  }
  presence.complete();
  const whole: ActivationsAnswer = {
    model: reading.model.card.id,
    inspection,
    runs,
    steering: steeringOf(
      reading.steering,
      runs.map(({ reports }) => reports),
      reading,
    ),
    warnings: runs.flatMap(({ warning }) => warning ?? []),
  };
  if (type === jsonType) return jsonPiecesResponse(c, activationsJson(whole));
  return safetensorsResponse(c, activationTensors(whole), activationMetadata(whole));
}

async function wholeRun(reading: ReadingPlan, inspection: Inspection, index: number): Promise<InspectedRun> {
  for await (const event of inspectRun(reading, inspection, index)) if (event.type === 'run') return event.run;
  throw new TillerError('internal', 'a text was read in part');
}
