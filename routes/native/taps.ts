import { createRoute, z } from '@hono/zod-openapi';
import { inOrder } from '../../engine/core/index.ts';
import { acceptedType, safetensorsType } from '../http/accept.ts';
import { watchClient, whilePresent } from '../http/cancel.ts';
import { errorResponses, readingErrors, steeringErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router, Warning } from '../http/router.ts';
import { type AnswerTensor, safetensorsResponse } from '../http/safetensors.ts';
import { modelsOf, type UseModel } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import { steeringOf } from './inspected-run.ts';
import { planReading, type ReadingPlan } from './reading-plan.ts';
import { describeTokens } from './reading-tokens.ts';
import { chosenPositions, refuseLargeTaps, type TappedHookPoint, tappedHookPoints } from './tap-plan.ts';
import { type TapsRequest, tapsRequestSchema } from './tap-schemas.ts';
import { type TappedRun, tapRun } from './tapped-run.ts';

const route = createRoute({
  method: 'post',
  path: '/api/v1/taps',
  operationId: 'readTaps',
  summary: "The model's own values at its hook points",
  tags: ['Inspection'],
  request: { body: { required: true, content: { 'application/json': { schema: tapsRequestSchema } } } },
  responses: {
    200: {
      description: 'A safetensors file; what its tensors are is in docs/inspection.md.',
      content: { [safetensorsType]: { schema: z.string().openapi({ format: 'binary' }) } },
    },
    ...errorResponses([...readingErrors, ...steeringErrors, 'answer_too_large', 'not_acceptable']),
  },
});

/** `POST /api/v1/taps`. */
export function registerTaps(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(tapsRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      acceptedType(c, [safetensorsType]);
      const presence = watchClient(c, () => services.metrics.clientGone(route.path));
      const { reading, hookPoints, chosen } = await whilePresent(
        presence,
        plan(services, modelsOf(c, services), body, presence.signal),
      );
      const wishes = { positions: body.positions, half: body.dtype === 'f16' };
      const runs: TappedRun[] = [];
      try {
        const each = inOrder(reading.requests, { together: reading.together, signal: null }, (_, _left, index) =>
          tapRun(reading, hookPoints, index, { ...wishes, chosen: chosen[index] ?? null }),
        );
        for await (const run of each) runs.push(run);
      } catch (error) {
        presence.complete();
        presence.abort();
        throw error;
      }
      presence.complete();
      return safetensorsResponse(c, tensorsOf(hookPoints, reading, runs), metadataOf(hookPoints, reading, runs));
    },
    bodyHook(tapsRequestSchema),
  );
}

/** Everything that can be refused is refused here, before anything is read. */
async function plan(services: Services, use: UseModel, body: TapsRequest, signal: AbortSignal) {
  const reading = await planReading(services, use, body, signal);
  const hookPoints = tappedHookPoints(reading, body.hook_points);
  const chosen = chosenPositions(reading, body.positions);
  refuseLargeTaps(reading, hookPoints, chosen, body);
  return { reading, hookPoints, chosen };
}

/** `inputs.0.blocks.12.hook_resid_post`, and which tokens its rows are. */
function tensorsOf(
  hookPoints: readonly TappedHookPoint[],
  { inputs, model }: ReadingPlan,
  runs: readonly TappedRun[],
): Map<string, AnswerTensor> {
  const tensors = new Map<string, AnswerTensor>();
  for (const [i, run] of runs.entries()) {
    const integers = (name: string, values: readonly (number | null)[]) =>
      tensors.set(`inputs.${i}.${name}`, {
        type: 'I32',
        shape: [values.length],
        data: Int32Array.from(values, (value) => value ?? -1),
      });
    for (const [k, { asked }] of hookPoints.entries())
      tensors.set(`inputs.${i}.${asked}`, run.tensors[k] as AnswerTensor);
    integers('positions', run.positions);
    integers('token_ids', run.tokenIds);
    const input = inputs[i];
    if (!input) continue;
    const { tokens } = describeTokens(input, model.tokenizer);
    integers(
      'starts',
      tokens.map(({ start }) => start),
    );
    integers(
      'ends',
      tokens.map(({ end }) => end),
    );
    integers(
      'messages',
      tokens.map(({ message }) => message),
    );
  }
  return tensors;
}

/** What no tensor can hold, as strings of JSON. */
function metadataOf(
  hookPoints: readonly TappedHookPoint[],
  reading: ReadingPlan,
  runs: readonly TappedRun[],
): Record<string, string> {
  const steering = steeringOf(
    reading.steering,
    runs.map(({ reports }) => reports),
    reading,
  );
  const warnings: Warning[] = reading.inputs.flatMap(
    (input) => describeTokens(input, reading.model.tokenizer).warning ?? [],
  );
  for (const [k, { asked }] of hookPoints.entries()) {
    const count = runs.reduce((sum, run) => sum + (run.beyondHalf[k] ?? 0), 0);
    const message = `${count} numbers at ${asked} are beyond float16 and became infinite: ask for dtype 'f32'.`;
    if (count > 0) warnings.push({ param: 'dtype', message });
  }
  return {
    model: reading.model.card.id,
    hook_points: JSON.stringify(hookPoints.map(({ name, asked }) => ({ name: asked, hook_point: name }))),
    replies: JSON.stringify(runs.map(({ reply }) => reply)),
    ...(steering ? { steering: JSON.stringify(steering) } : {}),
    ...(warnings.length > 0 ? { warnings: JSON.stringify(warnings) } : {}),
  };
}
