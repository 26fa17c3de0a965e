import { createRoute, z } from '@hono/zod-openapi';
import { errorResponses } from '../http/error-responses.ts';
import { checkMediaType, limitSize, readBytes } from '../http/read-body.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';

const path = '/api/v1/sources/{model}/{source}/labels';
const params = z.object({
  model: z.string().openapi({ example: 'smollm2-135m-instruct' }),
  source: z.string().openapi({ example: '17-res-4k' }),
});
const linesMediaType = 'application/x-ndjson';
const readMediaTypes = /^(?:application\/(?:x-ndjson|x-jsonlines|jsonl|ndjson)|text\/plain)\s*(?:;.*)?$/i;
const name = z.string().min(1).max(200);

const lines = z.string().openapi({
  description:
    'One label a line: `{"index": 3, "label": "cats", "clarity": 3, "method": "llm", "author": "…", "scores": [{"method": "detection", "author": "…", "score": 0.9, "judgements": 40}]}`; all but index and label may be missing.',
});

const exportRoute = createRoute({
  method: 'get',
  path,
  operationId: 'exportLabels',
  summary: "A source's labels as JSON lines",
  tags: ['Sources'],
  request: { params },
  responses: {
    200: { description: 'By feature, the oldest first.', content: { [linesMediaType]: { schema: lines } } },
    ...errorResponses(['model_not_found', 'source_not_found', 'not_ready', 'draining', 'internal']),
  },
});

const importSchema = z
  .object({
    added: z.int().openapi({ description: 'Labels that were not there.' }),
    updated: z.int().openapi({ description: 'Labels that got another clarity or score.' }),
    unchanged: z.int().openapi({ description: 'Labels that were there just so.' }),
    bad_lines: z.int().openapi({ description: 'Lines that were left out.' }),
    bad: z
      .array(z.object({ line: z.int().openapi({ description: 'From 1.' }), reason: z.string() }))
      .openapi({ description: 'The first hundred of them.' }),
  })
  .openapi('LabelImport');

const importRoute = createRoute({
  method: 'post',
  path,
  operationId: 'importLabels',
  summary: 'Add labels to a source: all good lines at once',
  tags: ['Sources'],
  request: {
    params,
    query: z.strictObject({
      method: name.default('import').openapi({ description: 'Of lines that do not say how they were made.' }),
      author: name.default('unknown').openapi({ description: 'Of lines that do not say by whom.' }),
      origin: z.string().min(1).max(2000).default('http').openapi({ description: 'Where they come from.' }),
    }),
    body: { required: true, content: { [linesMediaType]: { schema: lines } } },
  },
  responses: {
    200: { description: 'What became of the lines.', content: { 'application/json': { schema: importSchema } } },
    ...errorResponses([
      'invalid_request',
      'body_too_large',
      'unsupported_media_type',
      'model_not_found',
      'source_not_found',
      'cancelled',
      'not_ready',
      'draining',
      'internal',
    ]),
  },
});

/** `GET` and `POST /api/v1/sources/{model}/{source}/labels`. */
export function registerLabels(app: Router, services: Services): void {
  // the library types no answer of this media type, so the route is registered by its two halves
  app.openAPIRegistry.registerPath(exportRoute);
  app.get(exportRoute.getRoutingPath(), (c) => {
    const { model, source } = c.req.param();
    const texts = services.labels.export(model, source)[Symbol.iterator]();
    const encoder = new TextEncoder();
    // the reader sets the pace: what it does not take is not read
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const { value, done } = texts.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
    });
    return c.body(body, 200, { 'Content-Type': linesMediaType });
  });
  app.on(
    'POST',
    importRoute.getRoutingPath(),
    checkMediaType(readMediaTypes, `${linesMediaType} (JSON lines)`),
    limitSize(services.limits.bodyBytes),
  );
  app.openapi(importRoute, async (c) => {
    const { model, source } = c.req.valid('param');
    const bytes = new Uint8Array(await readBytes(c));
    const { badLines, bad, ...counts } = await services.labels.import(model, source, once(bytes), c.req.valid('query'));
    return c.json({ ...counts, bad_lines: badLines, bad: bad.map((line) => ({ ...line })) }, 200);
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
