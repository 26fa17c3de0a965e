import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import type { Services } from '../services.ts';
import { savedModel } from './saved-model.ts';
import { modelQuery, modelSchema } from './saved-schemas.ts';

const path = '/api/v1/profiles/default';

const defaultSchema = z
  .object({
    model: z.string(),
    profile: z.string().nullable().openapi({ description: '`name:version`; null: none is set.', example: 'pirate:2' }),
    on: z.boolean().openapi({ description: 'False: it is set and switched off, or none is set.' }),
  })
  .openapi('DefaultProfile');

const changeSchema = z
  .strictObject({
    model: modelSchema.nullish(),
    profile: z.string().min(1).nullish().openapi({
      description:
        '`name` (its newest version as of now) or `name:version`; null takes the default away; absent leaves it.',
    }),
    on: z
      .boolean()
      .optional()
      .openapi({ description: 'Switches it; a profile that is set is on unless this is false.' }),
  })
  .openapi('DefaultProfileChange');

const getRoute = createRoute({
  method: 'get',
  path,
  operationId: 'getDefaultProfile',
  summary: 'The profile that holds where a request names none',
  tags: ['Profiles'],
  request: { query: modelQuery },
  responses: {
    200: { description: 'As it is now.', content: { 'application/json': { schema: defaultSchema } } },
    ...errorResponses(['model_not_found', 'not_ready', 'draining', 'internal']),
  },
});

const setRoute = createRoute({
  method: 'put',
  path,
  operationId: 'setDefaultProfile',
  summary: 'Set the default profile, take it away, switch it off and on again, until the service ends',
  tags: ['Profiles'],
  request: { body: { required: true, content: { 'application/json': { schema: changeSchema } } } },
  responses: {
    200: {
      description: 'As it is now. Requests that run are not touched.',
      content: { 'application/json': { schema: defaultSchema } },
    },
    ...errorResponses([...bodyErrors, 'model_not_found', 'profile_not_found', 'edit_not_applicable']),
  },
});

/** `GET` and `PUT /api/v1/profiles/default`. */
export function registerDefaultProfile(app: Router, services: Services): void {
  app.openapi(getRoute, (c) => {
    const model = savedModel(services, c.req.valid('query').model);
    return c.json(services.profiles.default(model), 200);
  });
  app.on('PUT', path, jsonBody(changeSchema, services));
  app.openapi(
    setRoute,
    (c) => {
      const { model, profile, on } = c.req.valid('json');
      const id = savedModel(services, model ?? undefined);
      return c.json(services.profiles.setDefault(id, { profile, on }), 200);
    },
    bodyHook(changeSchema),
  );
}
