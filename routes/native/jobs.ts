import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { JobView } from '../jobs-port.ts';
import type { Services } from '../services.ts';
import { messageSchema } from './reading-prompt.ts';

const states = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;

/** What a contrast is told of an item besides its text. */
const labels = {
  class: z.enum(['positive', 'negative']).optional(),
  pair: z.string().min(1).max(200).optional(),
  topic: z.string().min(1).max(200).optional(),
  answer: z.string().min(1).optional(),
};

const requestSchema = z
  .strictObject({
    kind: z.string().min(1).openapi({
      description: '`activations`, `contrast`, `evaluate`, `statistics` or `sweep`.',
      example: 'activations',
    }),
    model: z.string().min(1).nullish().openapi({ description: 'Default: the first model.' }),
    parameters: z
      .record(z.string(), z.unknown())
      .default({})
      .openapi({ description: 'Of the kind (docs/jobs.md).', example: { limit: 10 } }),
    inputs: z
      .array(
        z.union([
          z.strictObject({ text: z.string().min(1), ...labels }),
          z.strictObject({ messages: z.array(messageSchema).min(1), ...labels }),
        ]),
      )
      .min(1)
      .nullish()
      .openapi({
        description:
          'The data set. Exactly one of `inputs` and `file`. `class`, `pair`, `topic` and `answer` are for jobs of kind `contrast` alone.',
      }),
    file: z.string().min(1).nullish().openapi({
      description: 'A file of JSON lines, `{"text"}` or `{"messages"}`, in the data directory\'s folder `datasets`.',
    }),
  })
  .openapi('JobRequest');

const jobSchema = z
  .object({
    id: z.string(),
    kind: z.string(),
    model: z.string(),
    parameters: z.unknown(),
    state: z.enum(states),
    done: z.int().openapi({ description: 'Items that have a line of results.' }),
    total: z.int().nullable(),
    cancelling: z.boolean().openapi({ description: 'It ends as soon as its item in hand does.' }),
    summary: z.unknown().openapi({ description: 'What it came to; null before it is done.' }),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    created: z.string(),
    started: z.string().nullable(),
    ended: z.string().nullable(),
  })
  .openapi('Job');

const path = '/api/v1/jobs';
const tags = ['Jobs'];
const params = z.object({ id: z.string() });
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const common = ['unsupported', 'not_ready', 'draining', 'internal'] as const;
const loading = ['model_not_found', 'model_unavailable', 'source_not_found', 'cancelled'] as const;

const submitRoute = createRoute({
  method: 'post',
  path,
  operationId: 'submitJob',
  summary: 'Queue work over a data set, to be done in the background',
  tags,
  request: { body: { required: true, content: json(requestSchema) } },
  responses: {
    202: { description: 'It is queued.', content: json(jobSchema) },
    ...errorResponses([...bodyErrors, ...common, ...loading]),
  },
});

const listRoute = createRoute({
  method: 'get',
  path,
  operationId: 'listJobs',
  summary: 'Jobs, newest first, and the kinds that there are',
  tags,
  request: { query: z.object({ state: z.enum(states).optional() }) },
  responses: {
    200: {
      description: 'Those of a state, or all.',
      content: json(
        z.object({ jobs: z.array(jobSchema), kinds: z.array(z.object({ name: z.string(), summary: z.string() })) }),
      ),
    },
    ...errorResponses(['invalid_request', ...common]),
  },
});

const getRoute = createRoute({
  method: 'get',
  path: `${path}/{id}`,
  operationId: 'getJob',
  summary: 'How far a job has come',
  tags,
  request: { params },
  responses: {
    200: { description: 'The job.', content: json(jobSchema) },
    ...errorResponses(['job_not_found', ...common]),
  },
});

const cancelRoute = createRoute({
  method: 'post',
  path: `${path}/{id}/cancel`,
  operationId: 'cancelJob',
  summary: 'End a job; what it has done stays',
  tags,
  request: { params },
  responses: {
    200: { description: 'It is over, or ends with the item in hand.', content: json(jobSchema) },
    ...errorResponses(['job_not_found', ...common]),
  },
});

const removeRoute = createRoute({
  method: 'delete',
  path: `${path}/{id}`,
  operationId: 'removeJob',
  summary: 'Forget a job that does not run, with its results',
  tags,
  request: { params },
  responses: {
    200: { description: 'It is gone.', content: json(z.object({ id: z.string(), deleted: z.literal(true) })) },
    ...errorResponses(['job_not_found', 'in_use', ...common]),
  },
});

const resultsRoute = createRoute({
  method: 'get',
  path: `${path}/{id}/results`,
  operationId: 'getJobResults',
  summary: 'What a job has found, one line an item; those so far while it runs',
  description:
    'With `Accept: application/vnd.safetensors` the tensors of a job that is done, where its kind makes any.',
  tags,
  request: { params },
  responses: {
    200: {
      description: 'JSON lines, each with the `key` of its item and what was found, or its `error`.',
      content: {
        'application/x-ndjson': { schema: z.string() },
        'application/vnd.safetensors': { schema: z.string().openapi({ format: 'binary' }) },
      },
    },
    ...errorResponses(['invalid_request', 'job_not_found', ...common]),
  },
});

/** `GET`, `POST /api/v1/jobs`; `GET`, `DELETE /api/v1/jobs/{id}`; its `cancel` and `results`. */
export function registerJobs(app: Router, services: Services): void {
  const { jobs } = services;
  app.on('POST', path, jsonBody(requestSchema, services));
  app.openapi(
    submitRoute,
    async (c) => {
      const { kind, model = null, parameters, inputs = null, file = null } = c.req.valid('json');
      return c.json(toBody(await jobs.submit({ kind, model, parameters, inputs, file }, c.req.raw.signal)), 202);
    },
    bodyHook(requestSchema),
  );
  app.openapi(listRoute, (c) => {
    const { state = null } = c.req.valid('query');
    return c.json({ jobs: jobs.list(state).map(toBody), kinds: [...jobs.kinds()] }, 200);
  });
  app.openapi(getRoute, (c) => c.json(toBody(jobs.get(c.req.valid('param').id)), 200));
  app.openapi(cancelRoute, (c) => c.json(toBody(jobs.cancel(c.req.valid('param').id)), 200));
  app.openapi(removeRoute, (c) => {
    const { id } = c.req.valid('param');
    jobs.remove(id);
    return c.json({ id, deleted: true as const }, 200);
  });
  app.openapi(resultsRoute, async (c) => {
    const wanted = c.req.header('accept') ?? '';
    const format = wanted.includes('application/vnd.safetensors') ? 'safetensors' : 'jsonl';
    const { contentType, bytes, stream } = await jobs.results(c.req.valid('param').id, format);
    return c.body(stream(), 200, { 'Content-Type': contentType, 'Content-Length': String(bytes) });
  });
}

function toBody({ addedAt, startedAt, endedAt, ...job }: JobView): z.infer<typeof jobSchema> {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return { ...job, created: new Date(addedAt).toISOString(), started: time(startedAt), ended: time(endedAt) };
}
