import { createRoute, z } from '@hono/zod-openapi';
import { bodyErrors, errorResponses, steeringErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import { nameOf, savedModel } from './saved-model.ts';
import {
  deletedSchema,
  modelQuery,
  newProfileSchema,
  profileDetailSchema,
  profileSchema,
  referenceParams,
  toProfile,
  toProfileDetail,
} from './saved-schemas.ts';

const path = '/api/v1/profiles';
const common = ['not_ready', 'draining', 'internal'] as const;
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

const listRoute = createRoute({
  method: 'get',
  path,
  operationId: 'listProfiles',
  summary: 'Saved steerings',
  tags: ['Profiles'],
  request: { query: modelQuery.extend({ name: z.string().min(1).optional() }) },
  responses: {
    200: {
      description: 'Every version, newest first within a name; of all models and names where none is named.',
      content: json(z.object({ profiles: z.array(profileSchema) })),
    },
    ...errorResponses(['model_not_found', ...common]),
  },
});

const saveRoute = createRoute({
  method: 'post',
  path,
  operationId: 'saveProfile',
  summary: 'Save a steering as the next version of a profile, every number made raw',
  tags: ['Profiles'],
  request: { body: { required: true, content: json(newProfileSchema) } },
  responses: {
    200: { description: 'The new version.', content: json(profileSchema) },
    ...errorResponses([...bodyErrors, ...steeringErrors, 'unsupported', 'model_not_found', 'model_unavailable']),
  },
});

const getRoute = createRoute({
  method: 'get',
  path: `${path}/{name}`,
  operationId: 'getProfile',
  summary: 'One version of a profile: what was asked for and what runs',
  tags: ['Profiles'],
  request: { params: referenceParams, query: modelQuery },
  responses: {
    200: { description: 'The newest version, or the one that is named.', content: json(profileDetailSchema) },
    ...errorResponses(['model_not_found', 'profile_not_found', ...common]),
  },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: `${path}/{name}`,
  operationId: 'deleteProfile',
  summary: 'Delete a version of a profile (`name:version`), or all of them (`name`)',
  tags: ['Profiles'],
  request: { params: referenceParams, query: modelQuery },
  responses: {
    200: { description: 'What was deleted.', content: json(deletedSchema) },
    ...errorResponses(['model_not_found', 'profile_not_found', 'in_use', ...common]),
  },
});

/** `GET`, `POST /api/v1/profiles`; `GET`, `DELETE /api/v1/profiles/{name}`. */
export function registerProfiles(app: Router, services: Services): void {
  app.openapi(listRoute, (c) => {
    const { model, name } = c.req.valid('query');
    const id = model === undefined ? null : savedModel(services, model);
    return c.json({ profiles: services.profiles.list(id, name).map(toProfile) }, 200);
  });
  app.on('POST', path, jsonBody(newProfileSchema, services));
  app.openapi(
    saveRoute,
    async (c) => {
      const { name, description, model: wanted, steering: wire } = c.req.valid('json');
      const { model, profile: ofModel } = await modelsOf(c, services)(wanted ?? null);
      // what holds by default is nothing that this steering asks for
      const steering = toSteeringRequest(wire, { ofModel, byDefault: null }, services.limits.maxEdits) ?? { edits: [] };
      return c.json(toProfile(model.saveProfile({ name, description: description ?? '', steering, wire })), 200);
    },
    bodyHook(newProfileSchema),
  );
  app.openapi(getRoute, (c) => {
    const model = savedModel(services, c.req.valid('query').model);
    return c.json(toProfileDetail(services.profiles.get(model, c.req.valid('param').name)), 200);
  });
  app.openapi(deleteRoute, (c) => {
    const model = savedModel(services, c.req.valid('query').model);
    const { name } = c.req.valid('param');
    return c.json({ model, name: nameOf(name), deleted: services.profiles.remove(model, name) }, 200);
  });
}
