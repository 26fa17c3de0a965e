import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import { savedModel } from './saved-model.ts';
import { modelQuery, nameSchema, profileSchema, referenceParams, toProfile } from './saved-schemas.ts';

const importPath = '/api/v1/profiles/import';

/** The fields of a profile's file; what they hold is checked where files are read (docs/profiles.md has the format). */
const fileSchema = z
  .object({
    format: z.string().openapi({ example: 'tiller-profile' }),
    schema_version: z.number(),
    name: z.string(),
    version: z.number(),
    description: z.string(),
    created: z.string(),
    fingerprint: z.looseObject({ model: z.string(), model_hash: z.string() }),
    steering: z.unknown(),
    edits: z.array(z.unknown()),
    rules: z.array(z.unknown()).optional().openapi({ description: 'Left out: it has none.' }),
    directions: z.array(z.string()).openapi({ description: 'Little-endian float32 in base64.' }),
    sha256: z.string(),
  })
  .openapi('ProfileFile');

const exportRoute = createRoute({
  method: 'get',
  path: '/api/v1/profiles/{name}/export',
  operationId: 'exportProfile',
  summary: 'One version of a profile as a file that holds its directions',
  tags: ['Profiles'],
  request: { params: referenceParams, query: modelQuery },
  responses: {
    200: { description: 'The file.', content: { 'application/json': { schema: fileSchema } } },
    ...errorResponses(['model_not_found', 'profile_not_found', 'not_ready', 'draining', 'internal']),
  },
});

const importRoute = createRoute({
  method: 'post',
  path: importPath,
  operationId: 'importProfile',
  summary: "Save an exported profile as the next version of its name; another model's is refused",
  tags: ['Profiles'],
  request: {
    query: modelQuery.extend({ name: nameSchema.optional() }),
    body: { required: true, content: { 'application/json': { schema: fileSchema } } },
  },
  responses: {
    200: { description: 'The new version.', content: { 'application/json': { schema: profileSchema } } },
    ...errorResponses([
      ...bodyErrors,
      'model_not_found',
      'model_unavailable',
      'too_many_edits',
      'hook_point_not_found',
      'edit_not_applicable',
      'edits_conflict',
    ]),
  },
});

/** `GET /api/v1/profiles/{name}/export` and `POST /api/v1/profiles/import`. */
export function registerProfileFiles(app: Router, services: Services): void {
  app.openapi(exportRoute, (c) => {
    const model = savedModel(services, c.req.valid('query').model);
    const file = services.profiles.exported(model, c.req.valid('param').name);
    return c.json(file as z.infer<typeof fileSchema>, 200);
  });
  app.on('POST', importPath, jsonBody(fileSchema, services));
  app.openapi(
    importRoute,
    async (c) => {
      const { model: wanted, name } = c.req.valid('query');
      const file: unknown = await c.req.json();
      const { model } = await modelsOf(c, services)(wanted ?? c.req.valid('json').fingerprint.model);
      return c.json(
        toProfile(model.importProfile(file, { name: name ?? null, origin: 'POST /api/v1/profiles/import' })),
        200,
      );
    },
    bodyHook(fileSchema),
  );
}
