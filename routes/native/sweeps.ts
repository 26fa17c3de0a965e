import { createRoute, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { acceptedType, jsonType } from '../http/accept.ts';
import { errorResponses, generationErrors } from '../http/error-responses.ts';
import { presentableError, problemDocument, reportFailure } from '../http/errors.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { AppEnv, Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services, SweepRow } from '../services.ts';
import { generationPrompts } from './generation-prompts.ts';
import { sweepAnswerSchema, sweepRowSchema, sweepSchema, toSteerings, toSweepRow } from './sweep-schemas.ts';
import { toSampling, toTargets } from './text-request.ts';

const linesType = 'application/x-ndjson';
/** The library takes every type with `json` in its name for one document, and types no stream of it. */
const linesKey = linesType as string as 'application/x-lines';

const route = createRoute({
  method: 'post',
  path: '/api/v1/sweeps',
  operationId: 'sweepSteerings',
  summary: 'Features or vectors × strengths × prompts × seeds as a table of texts and scores',
  tags: ['Evaluation'],
  request: { body: { required: true, content: { 'application/json': { schema: sweepSchema } } } },
  responses: {
    200: {
      description: `All rows at once, or with \`Accept: ${linesType}\` a row a line, each as soon as it is there; a failure on the way is the last line, \`{"error": problem}\`.`,
      content: { 'application/json': { schema: sweepAnswerSchema }, [linesKey]: { schema: sweepRowSchema } },
    },
    ...errorResponses([...generationErrors, 'not_acceptable', 'cancelled']),
  },
});

/** `POST /api/v1/sweeps`. */
export function registerSweeps(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(sweepSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const type = acceptedType(c, [jsonType, linesType]);
      const { model } = await modelsOf(c, services)(body.model ?? null);
      const { signal } = c.req.raw;
      const targets = toTargets(body.targets);
      const { strengths, seeds, control } = body;
      const { rows, estimate } = model.evaluation.sweep({
        prompts: await generationPrompts(model, body.prompts, signal),
        sampling: toSampling(body),
        steerings: toSteerings(body, services.limits.maxEdits),
        ...{ targets, strengths, seeds, control, signal },
      });
      if (type === linesType) return asLines(c, services, rows);
      const table: z.infer<typeof sweepAnswerSchema>['rows'] = [];
      for await (const row of rows) table.push(toSweepRow(row));
      const answer = { model: model.card.id, targets: targets.map(({ name }) => name), texts: estimate.texts };
      return c.json({ ...answer, rows: table }, 200);
    },
    bodyHook(sweepSchema),
  );
}

/** The reader sets the pace: no more runs begin than its rows are taken. */
function asLines(c: Context<AppEnv>, services: Services, rows: AsyncIterable<SweepRow>): Response {
  const iterator = rows[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const line = (value: unknown) => controller.enqueue(Buffer.from(`${JSON.stringify(value)}\n`));
      try {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else line(toSweepRow(value));
      } catch (thrown) {
        const requestId = c.get('requestId') ?? '';
        reportFailure(services, thrown, { requestId, route: route.path });
        line({ error: problemDocument(presentableError(thrown), c.req.path, requestId) });
        controller.close();
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  return c.body(body, 200, { 'Content-Type': linesType });
}
